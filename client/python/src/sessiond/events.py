"""What a watch tells. No session in an event has keys; where there is one, it is withheld.

Events are told apart by their class::

    match event:
        case sessiond.Advanced(name=name, change=change): ...
        case sessiond.Commit(): ...
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Union

from .daemon import Holder, LostReason
from .session import Session, StateChange


class RestartReason(Enum):
    """Why a watch starts over."""

    FIRST = "FIRST"
    """It is new; or it broke before it was synced."""
    LOG_TRIMMED = "LOG_TRIMMED"
    """The daemon's log no longer has what came after the revision to go on from."""
    OTHER_STORE = "OTHER_STORE"
    """The store is another, or the revision is not one of its own."""
    LAGGED = "LAGGED"
    """The watch fell so far behind that the log no longer had its place."""
    UNKNOWN = "UNKNOWN"
    """One that this version does not know."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """The watch starts over: forget everything. What has no snapshot after this does not exist."""

    #: Why.
    reason: RestartReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A session as it is. They come between :class:`Restarted` and :class:`Synced`."""

    #: Its name.
    name: str
    #: Its revision. 0: it is held, and has no data.
    revision: int
    #: The session. ``None``: it is held, and has no data.
    session: Session | None
    #: Who holds it. ``None``: nobody.
    holder: Holder | None


@dataclass(frozen=True, slots=True)
class Synced:
    """Every selected session has had its snapshot; commits follow."""

    #: Everything up to this revision has been told.
    revision: int
    #: Identity of the store.
    store_id: str


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Nothing else happened."""

    #: Everything up to this revision has been told.
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit: in order, each once, none left out. One of this very class changed something that this version does not
    know."""

    #: The session's name.
    name: str
    #: The commit's revision.
    revision: int
    #: The session's revision before it. 0: there was no session.
    previous_revision: int
    #: When it was made.
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced(Commit):
    """The session's counters were set."""

    #: What was set.
    change: StateChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(Commit):
    """The session was saved."""

    #: All of it, without keys.
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted(Commit):
    """The session was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldChanged(Commit):
    """A hold began or ended. The session's revision did not move."""

    #: Who holds the session now. ``None``: nobody.
    holder: Holder | None
    #: Why the hold before it ended, if somebody ended it.
    reason: LostReason | None


WatchEvent = Union[Restarted, Snapshot, Synced, Commit, Bookmark]
"""Whatever a watch tells."""
