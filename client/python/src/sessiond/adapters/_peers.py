"""Peers that a library tells of and asks for."""

from __future__ import annotations

import time
from dataclasses import fields, replace

from .. import errors
from ..aio import HeldSession
from ..belongings import Peer, PeerKey

#: As many are remembered, and as many wait to be sent while no daemon answers: those whom a busy account meets in hours. Of
#: more, the earliest are forgotten; a library meets them again.
_REMEMBERED = 10_000
#: A peer that is met again as it was is sent again after so many seconds, to say when it was seen: the daemon's own rule.
_SEEN_AGAIN = 600.0


class Peers:
    """The peers of a held session. What is put here is found here at once, also before the daemon has it."""

    def __init__(self, hold: HeldSession) -> None:
        self._hold = hold
        # What is known by id, and since when; the latest last.
        self._known: dict[int, tuple[Peer, float]] = {}
        self._queued: dict[int, Peer] = {}
        self._sending: dict[int, Peer] = {}

    def put(self, peer: Peer) -> None:
        """Queues a peer, unless all of it is known."""
        now = time.monotonic()
        known, since = self._known.get(peer.id, (None, 0.0))
        merged = _over(known, peer)
        if merged == known and now - since < _SEEN_AGAIN:
            return
        self._remember(merged)
        self._queued[peer.id] = _over(self._queued.pop(peer.id, None), peer)
        if len(self._queued) > _REMEMBERED:
            del self._queued[next(iter(self._queued))]

    async def find(self, *keys: PeerKey) -> Peer | None:
        """The first peer with an access hash that one of the keys leads to."""
        asked = [self._by_id(key) for key in keys]
        for key in asked:
            known, _ = self._known.get(key.id or 0, (None, 0.0))
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
        self._known, self._queued, self._sending = {}, {}, {}

    def is_empty(self) -> bool:
        """Whether nothing is queued."""
        return not self._queued

    def take(self) -> list[Peer]:
        """What is queued, to be sent: until :meth:`sent` or :meth:`not_sent`."""
        self._sending, self._queued = self._queued, {}
        return list(self._sending.values())

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
        self._known[peer.id] = (peer, time.monotonic())
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]

    def _by_id(self, key: PeerKey) -> PeerKey:
        """The same, by the id of a peer that the daemon does not know so yet."""
        if key.id is None:
            for waiting in (self._queued, self._sending):
                for peer in reversed(waiting.values()):
                    if _answers(peer, key):
                        return PeerKey(id=peer.id)
        return key


_FIELDS = [field.name for field in fields(Peer)]


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
