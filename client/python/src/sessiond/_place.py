"""Where a watch is: what it asks for, and which events are new to its reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from . import _v1 as v1
from . import _wire
from ._name import checked_name
from .events import Bookmark, Commit, Restarted, Snapshot, Synced, WatchEvent


class WatchMode(Enum):
    """Which commits a watch is told."""

    EVERY_CHANGE = "EVERY_CHANGE"
    """Every one."""
    LATEST = "LATEST"
    """When the watch is behind, not those that later ones superseded: several of a session may come as one. After a broken
    connection, or from a :class:`WatchPosition`, commits that were told since the last synced or bookmark may come again."""


@dataclass(frozen=True, slots=True)
class WatchPosition:
    """How far a watch has come: what to go on from, also in another process or after a restart."""

    #: Everything up to this revision was told.
    revision: int
    #: Identity of the store. Empty: whichever the daemon has.
    store_id: str = ""


class Place:
    """What a watch asks for when it connects, and what it knows already."""

    def __init__(
        self,
        names: Iterable[str],
        name_prefix: str,
        after: WatchPosition | None,
        mode: WatchMode,
        bookmark_interval: float | None,
    ) -> None:
        """:raises InvalidName: one of the names is none."""
        self._names = [checked_name(name) for name in names]
        self._name_prefix = name_prefix
        self._mode = mode
        self._interval = None if bookmark_interval is None else _wire.duration_message(bookmark_interval)
        #: What to go on from. ``None`` before synced: half of the snapshots are worth nothing.
        self.position = after
        #: Whether anything was told yet.
        self.begun = False
        # Set while a connection goes on from a position that the reader has reached: what it knows is not told again.
        self._known: int | None = None

    def request(self) -> v1.WatchRequest:
        """Asks to go on from here, over a new connection."""
        position = self.position
        self._known = position.revision if position is not None and self.begun else None
        return v1.WatchRequest(
            names=self._names,
            name_prefix=self._name_prefix,
            after_revision=None if position is None else position.revision,
            store_id="" if position is None else position.store_id,
            mode=v1.WATCH_MODE_LATEST if self._mode is WatchMode.LATEST else v1.WATCH_MODE_EVERY_CHANGE,
            bookmark_interval=self._interval,
        )

    def fresh(self, message: v1.WatchResponse) -> WatchEvent | None:
        """The event, and the place is past it. ``None``: the reader knows it."""
        event = _wire.event(message)
        self.begun = True
        match event:
            case Restarted():
                self._known = self.position = None
            case Snapshot():
                pass
            case Synced(revision, store_id):
                reached = 0 if self.position is None else self.position.revision
                self.position = WatchPosition(max(reached, revision), store_id)
                # The reader was told that it is in step, and never that it is not.
                return event if self._known is None else None
            case Bookmark(revision):
                self._reach(revision)
            case Commit(revision=revision):
                known = self._known is not None and revision <= self._known
                # In LATEST mode an earlier one of another session may be part of one that is still to come.
                if self._mode is WatchMode.EVERY_CHANGE:
                    self._reach(revision)
                return None if known else event
        return event

    def _reach(self, revision: int) -> None:
        if self.position is not None and revision > self.position.revision:
            self.position = WatchPosition(revision, self.position.store_id)
