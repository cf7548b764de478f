use std::{collections::BTreeMap, fmt};

/// What bare ids of channels are marked with: a channel's marked id is `-(MARK + id)`, as in Telegram's Bot API
/// (<https://core.telegram.org/api/bots/ids>).
const CHANNEL_MARK: i64 = 1_000_000_000_000;

/// By how many seconds [`Peer::seen`] has to be newer to be worth a change of its own.
const SEEN_AGAIN: i64 = 600;

/// A user, group or channel that the session's account met, and what it takes to address it.
///
/// What is `None` is not known; stored over what is known, it keeps it. `Debug` shows the id and the kind alone: access
/// hashes are secret, and names and phone numbers are nobody else's business.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Marked id, not 0: a user's as it is, a basic group's negative, a channel's as [`channel`](Self::channel) marks it.
    pub id: i64,
    /// What proves to Telegram that the account met the peer. 0 is a value: basic groups need none.
    pub access_hash: Option<i64>,
    /// What it is.
    pub kind: Option<PeerKind>,
    /// Whether it is a bot.
    pub bot: Option<bool>,
    /// Whether it is the account itself. At most one of a session's peers is.
    pub is_self: Option<bool>,
    /// Whether it was only seen through another (`min` constructors), so that its access hash is good for little
    /// (<https://core.telegram.org/api/min>).
    pub min: Option<bool>,
    /// Its usernames without `@`, the primary one first. Merged, an empty list forgets them.
    pub usernames: Option<Vec<String>>,
    /// Its phone number, digits alone. Merged, an empty one forgets it.
    pub phone: Option<String>,
    /// The name that people see. Merged, an empty one forgets it.
    pub name: Option<String>,
    /// When it was last seen, in Unix seconds.
    pub seen: Option<i64>,
    /// What single libraries keep beside that, by a key that begins with the library's name and a dot. Merged by key; an
    /// empty value deletes one.
    pub extra: BTreeMap<String, Vec<u8>>,
}

/// What a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    /// A user or a bot.
    User,
    /// A basic group.
    Group,
    /// A channel in which its owners speak.
    Channel,
    /// A channel in which its members speak.
    Supergroup,
    /// A supergroup without a limit on members, in which admins speak.
    Gigagroup,
    /// A supergroup with topics.
    Forum,
    /// The direct messages of a channel.
    Direct,
    /// A community of groups and channels.
    Community,
    /// A channel of any of these kinds.
    ChannelUnknown,
}

impl Peer {
    /// A peer of which nothing was known before.
    pub fn new(given: Self) -> Self {
        // Met as `min`, it is not yet known in full.
        let mut peer = Self { id: given.id, min: given.min.filter(|min| *min), ..Self::default() };
        peer.merge(given);
        peer
    }

    /// Adds what is given of the same peer to what is known, and tells whether that changed anything. What is absent keeps
    /// what is known; what is empty forgets it. What is given as [`min`](Self::min) never changes the access hash, usernames,
    /// phone, name or extra of a peer that is known in full. [`seen`](Self::seen) never goes back; where nothing else
    /// changes, it does only by 600 seconds or more.
    pub fn merge(&mut self, given: Self) -> bool {
        let Self { id: _, access_hash, kind, bot, is_self, min, usernames, phone, name, seen, extra } = given;
        let knows_more = min == Some(true) && self.min != Some(true);
        let mut changed =
            keep(&mut self.kind, kind) | keep(&mut self.bot, bot) | keep(&mut self.is_self, is_self);
        if !knows_more {
            changed |= keep(&mut self.access_hash, access_hash) | keep(&mut self.min, min);
            changed |= keep_or_forget(&mut self.usernames, usernames, Vec::is_empty);
            changed |= keep_or_forget(&mut self.phone, phone, String::is_empty);
            changed |= keep_or_forget(&mut self.name, name, String::is_empty);
            changed |= self.merge_extra(extra);
        }
        let due =
            self.seen.is_none_or(|known| seen.is_some_and(|seen| seen >= known.saturating_add(SEEN_AGAIN)));
        if changed || due {
            let latest = seen.max(self.seen);
            changed |= keep(&mut self.seen, latest);
        }
        changed
    }

    fn merge_extra(&mut self, extra: BTreeMap<String, Vec<u8>>) -> bool {
        let mut changed = false;
        for (key, value) in extra {
            changed |= if value.is_empty() {
                self.extra.remove(&key).is_some()
            } else {
                self.extra.get(&key) != Some(&value) && {
                    self.extra.insert(key, value);
                    true
                }
            };
        }
        changed
    }

    /// A username as usernames are compared.
    pub fn folded(username: &str) -> String {
        username.to_lowercase()
    }

    /// How many bytes its [`extra`](Self::extra) has, keys and values.
    pub fn extra_bytes(&self) -> usize {
        self.extra.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    /// The marked id of a channel: of a bare, positive one.
    pub fn channel(bare: i64) -> i64 {
        -(CHANNEL_MARK + bare)
    }

    /// The bare id, positive: what Telegram's own schema calls `user_id`, `chat_id` or `channel_id`.
    pub fn bare_id(&self) -> i64 {
        match self.id {
            channel if channel < -CHANNEL_MARK => -(channel + CHANNEL_MARK),
            other => other.abs(),
        }
    }

    /// The kind that the id alone tells.
    pub fn kind_of(id: i64) -> PeerKind {
        match id {
            channel if channel < -CHANNEL_MARK => PeerKind::ChannelUnknown,
            group if group < 0 => PeerKind::Group,
            _ => PeerKind::User,
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Sets what is known to what is given, if anything is, and tells whether that changed it.
fn keep<T: PartialEq>(known: &mut Option<T>, given: Option<T>) -> bool {
    let changed = given.is_some() && given != *known;
    if changed {
        *known = given;
    }
    changed
}

/// The same, where what is empty stands for nothing.
fn keep_or_forget<T: PartialEq>(known: &mut Option<T>, given: Option<T>, is_empty: fn(&T) -> bool) -> bool {
    match given {
        Some(given) if is_empty(&given) => known.take().is_some(),
        given => keep(known, given),
    }
}

#[cfg(test)]
mod tests;
