//! A peer in few bytes: sixteen bits of what is there and what a bit or four can tell, then its id, its access hash and what
//! else is there, in the order of the fields. Numbers that are small as a rule take a byte for each seven bits.

use std::collections::BTreeMap;

use crate::{Peer, PeerKind};

/// Kinds, as four bits have them, counted from 1. 0: it is not known.
const KINDS: [PeerKind; 9] = [
    PeerKind::User,
    PeerKind::Group,
    PeerKind::Channel,
    PeerKind::Supergroup,
    PeerKind::Gigagroup,
    PeerKind::Forum,
    PeerKind::Direct,
    PeerKind::Community,
    PeerKind::ChannelUnknown,
];
const KIND: u16 = 0b1111;

/// Two bits each, the lower one for whether it is known.
const BOT: u32 = 4;
const IS_SELF: u32 = 6;
const MIN: u32 = 8;

const ACCESS_HASH: u16 = 1 << 10;
const USERNAMES: u16 = 1 << 11;
const PHONE: u16 = 1 << 12;
const NAME: u16 = 1 << 13;
const SEEN: u16 = 1 << 14;
const EXTRA: u16 = 1 << 15;

/// The bytes of a peer.
pub(super) fn packed(peer: &Peer) -> Vec<u8> {
    let Peer { id, access_hash, kind: _, bot: _, is_self: _, min: _, usernames, phone, name, seen, extra } =
        peer;
    let mut bytes = head(peer).to_le_bytes().to_vec();
    put_signed(&mut bytes, *id);
    if let Some(hash) = access_hash {
        bytes.extend(hash.to_le_bytes());
    }
    if let Some(usernames) = usernames {
        put_count(&mut bytes, usernames.len());
        usernames.iter().for_each(|name| put_bytes(&mut bytes, name.as_bytes()));
    }
    for text in [phone, name].into_iter().flatten() {
        put_bytes(&mut bytes, text.as_bytes());
    }
    if let Some(seen) = seen {
        put_signed(&mut bytes, *seen);
    }
    if !extra.is_empty() {
        put_count(&mut bytes, extra.len());
        for (key, value) in extra {
            put_bytes(&mut bytes, key.as_bytes());
            put_bytes(&mut bytes, value);
        }
    }
    bytes
}

fn head(peer: &Peer) -> u16 {
    let kind = peer.kind.and_then(|kind| KINDS.iter().position(|known| *known == kind));
    let mut head = kind.map_or(0, |at| u16::try_from(at + 1).expect("four bits"));
    for (bit, flag) in [(BOT, peer.bot), (IS_SELF, peer.is_self), (MIN, peer.min)] {
        head |= flag.map_or(0, |flag| 1 | u16::from(flag) << 1) << bit;
    }
    let parts = [
        (ACCESS_HASH, peer.access_hash.is_some()),
        (USERNAMES, peer.usernames.is_some()),
        (PHONE, peer.phone.is_some()),
        (NAME, peer.name.is_some()),
        (SEEN, peer.seen.is_some()),
        (EXTRA, !peer.extra.is_empty()),
    ];
    parts.into_iter().filter(|(_, is_there)| *is_there).fold(head, |head, (part, _)| head | part)
}

/// Peers out of the bytes that [`packed`] made of them.
pub(super) struct Unpacking<'a> {
    rest: &'a [u8],
}

impl<'a> Unpacking<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().expect("as many were taken")
    }

    fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let [byte] = self.array();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    fn count(&mut self) -> usize {
        usize::try_from(self.number()).expect("it was one")
    }

    fn bytes(&mut self) -> Vec<u8> {
        let count = self.count();
        self.take(count).to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).expect("it was a text")
    }
}

impl Iterator for Unpacking<'_> {
    type Item = Peer;

    fn next(&mut self) -> Option<Peer> {
        if self.rest.is_empty() {
            return None;
        }
        let head = u16::from_le_bytes(self.array());
        let has = |part: u16| head & part != 0;
        let flag = |bit: u32| (head >> bit & 1 == 1).then_some(head >> (bit + 1) & 1 == 1);
        // The fields are in the order of the bytes.
        Some(Peer {
            id: self.signed(),
            access_hash: has(ACCESS_HASH).then(|| i64::from_le_bytes(self.array())),
            kind: usize::from(head & KIND).checked_sub(1).map(|at| KINDS[at]),
            bot: flag(BOT),
            is_self: flag(IS_SELF),
            min: flag(MIN),
            usernames: has(USERNAMES).then(|| (0..self.count()).map(|_| self.text()).collect()),
            phone: has(PHONE).then(|| self.text()),
            name: has(NAME).then(|| self.text()),
            seen: has(SEEN).then(|| self.signed()),
            extra: match has(EXTRA) {
                true => (0..self.count()).map(|_| (self.text(), self.bytes())).collect(),
                false => BTreeMap::new(),
            },
        })
    }
}

fn put_number(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    into.push(number.to_le_bytes()[0]);
}

/// Small ones of either sign are small.
fn put_signed(into: &mut Vec<u8>, number: i64) {
    put_number(into, (number << 1 ^ number >> 63).cast_unsigned());
}

fn put_count(into: &mut Vec<u8>, count: usize) {
    put_number(into, count as u64);
}

fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_count(into, bytes.len());
    into.extend_from_slice(bytes);
}
