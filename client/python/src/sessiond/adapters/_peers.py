"""Peers that a library tells of and asks for."""

from __future__ import annotations

import time
from dataclasses import fields, replace
from itertools import islice
from typing import Any

from .. import errors
from ..aio import HeldSession
from ..belongings import Peer, PeerKey, PeerKind

#: As many are remembered, and as many wait to be sent while no daemon answers: those whom a busy account meets in hours. Of
#: more, the earliest are forgotten; a library meets them again.
_REMEMBERED = 10_000
#: As many are sent at once: to write them down for the daemon takes a millisecond, in which the event loop stands still.
_AT_ONCE = 200
#: A peer that is met again as it was is sent again after so many seconds, to say when it was seen: the daemon's own rule.
_SEEN_AGAIN = 600.0


class Peers:
    """The peers of a held session. What is put here is found here at once, also before the daemon has it."""

    def __init__(self, hold: HeldSession) -> None:
        self._hold = hold
        # What is known by id, packed; the latest last. And since when.
        self._known: dict[int, tuple[Any, ...]] = {}
        self._since: dict[int, float] = {}
        self._queued: dict[int, Peer] = {}
        self._sending: dict[int, Peer] = {}

    def put(self, peer: Peer) -> None:
        """Queues a peer, unless all of it is known."""
        now = time.monotonic()
        known = self._remembered(peer.id)
        merged = _over(known, peer)
        if merged == known and now - self._since[peer.id] < _SEEN_AGAIN:
            return
        self._remember(merged)
        self._queued[peer.id] = _over(self._queued.pop(peer.id, None), peer)
        if len(self._queued) > _REMEMBERED:
            del self._queued[next(iter(self._queued))]

    async def find(self, *keys: PeerKey) -> Peer | None:
        """The first peer with an access hash that one of the keys leads to."""
        asked = [self._by_id(key) for key in keys]
        for key in asked:
            known = self._remembered(key.id or 0)
            if known is not None and known.access_hash is not None:
                return known
        try:
            found = await self._hold.peers(asked)
        except errors.InvalidArgument:
            return None  # by what is no id, username, phone number or name, nobody is known
        for key, stored in zip(keys, found, strict=True):
            if stored is None:
                continue
            peer = stored
            for waiting in (self._sending.get(stored.id), self._queued.get(stored.id)):
                peer = peer if waiting is None else _over(peer, waiting)
            if peer.access_hash is not None and _answers(peer, key):
                self._remember(peer)
                return peer
        return None

    def forget(self) -> None:
        """Nothing is known or queued any more, as when another account logs in."""
        self._known, self._since, self._queued, self._sending = {}, {}, {}, {}

    def is_empty(self) -> bool:
        """Whether nothing is queued."""
        return not self._queued

    def take(self) -> list[Peer]:
        """What is to be sent next: until :meth:`sent` or :meth:`not_sent`."""
        taken = list(islice(self._queued.values(), _AT_ONCE))
        self._sending = {peer.id: self._queued.pop(peer.id) for peer in taken}
        return taken

    def sent(self) -> None:
        """The daemon has what was taken, or will not have it."""
        self._sending = {}

    def not_sent(self) -> None:
        """What was taken waits again."""
        waiting = dict(self._sending)
        for id, peer in self._queued.items():
            waiting[id] = _over(waiting.pop(id, None), peer)
        self._sending, self._queued = {}, waiting

    def _remember(self, peer: Peer) -> None:
        self._known.pop(peer.id, None)
        self._known[peer.id] = _packed(peer)
        self._since[peer.id] = time.monotonic()
        if len(self._known) > _REMEMBERED:
            earliest = next(iter(self._known))
            del self._known[earliest], self._since[earliest]

    def _remembered(self, id: int) -> Peer | None:
        packed = self._known.get(id)
        return None if packed is None else _unpacked(packed)

    def _by_id(self, key: PeerKey) -> PeerKey:
        """The same, by the id of a peer that the daemon does not know so yet."""
        if key.id is None:
            for waiting in (self._queued, self._sending):
                for peer in reversed(waiting.values()):
                    if _answers(peer, key):
                        return PeerKey(id=peer.id)
        return key


_FIELDS = [field.name for field in fields(Peer)]
_KIND, _USERNAMES, _EXTRA = map(_FIELDS.index, ("kind", "usernames", "extra"))


def _packed(peer: Peer) -> tuple[Any, ...]:
    """A peer as texts and numbers in tuples, over which Python's garbage collector passes. Thousands of objects that live on
    would have it look through the whole program again and again, and everything stands still for that."""
    values = [getattr(peer, name) for name in _FIELDS]
    values[_KIND] = peer.kind and peer.kind.value
    values[_USERNAMES] = None if peer.usernames is None else tuple(peer.usernames)
    values[_EXTRA] = tuple(peer.extra.items())
    return tuple(values)


def _unpacked(packed: tuple[Any, ...]) -> Peer:
    peer = Peer(**dict(zip(_FIELDS, packed, strict=True)))
    peer.kind = peer.kind and PeerKind(peer.kind)
    peer.usernames = None if peer.usernames is None else list(peer.usernames)
    peer.extra = dict(peer.extra)
    return peer


def _over(known: Peer | None, put: Peer) -> Peer:
    """What is known of a peer after a put, by the daemon's rules: what is not told stays."""
    if known is None:
        return put
    told = {name: value for name in _FIELDS if (value := getattr(put, name)) is not None and value != {}}
    return replace(known, **told)


def _answers(peer: Peer, key: PeerKey) -> bool:
    """Whether a key leads to this peer."""
    if key.username is not None:
        return key.username.lower() in [name.lower() for name in peer.usernames or ()]
    if key.phone is not None:
        return key.phone == peer.phone
    return key.id == peer.id if key.id is not None else key.peer_name == peer.name
