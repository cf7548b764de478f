"""What the daemon tells about sessions, and about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from .session import Session, User


class LostReason(Enum):
    """Why a hold ended without a release."""

    FENCED = "FENCED"
    """The daemon does not know the token any more: the hold's time to come back was over, or another holds the session."""
    ENDED_BY_ADMIN = "ENDED_BY_ADMIN"
    """An operator ended it."""
    RESUMED_ELSEWHERE = "RESUMED_ELSEWHERE"
    """Another process goes on with it, by its token."""

    def __str__(self) -> str:
        return _IN_WORDS[self]


_IN_WORDS = {
    LostReason.FENCED: "its token is not the current one any more",
    LostReason.ENDED_BY_ADMIN: "an operator ended it",
    LostReason.RESUMED_ELSEWHERE: "another process goes on with it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a session: what the kernel said of the process that connected, and what that process says of itself."""

    #: What it calls itself. May be empty.
    label: str
    #: Its process id. ``None``: not known.
    pid: int | None
    #: Its user id.
    uid: int
    #: Path of the program that it runs. Empty: not known.
    executable: str
    #: When the hold was granted.
    since: datetime | None
    #: Its host. Empty: the daemon's own.
    host: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A place in the line for a session."""

    #: Who holds the session. ``None``: nobody any more, and the hand-over delay runs.
    holder: Holder | None
    #: Place in the line: 1 is the next to be granted.
    position: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """A session as it was read."""

    #: The session. ``None``: there is none.
    session: Session | None
    #: Its revision. 0: there is no session.
    revision: int
    #: Who holds it. ``None``: nobody.
    holder: Holder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """A session in short."""

    #: Its name.
    name: str
    #: Its revision. 0: it is held, and has no data.
    revision: int
    #: Who is logged in.
    user: User | None
    #: Time of its last change.
    changed: datetime | None
    #: Who holds it. ``None``: nobody.
    holder: Holder | None
    #: Its pts. ``None``: it has no update state.
    pts: int | None
    #: How many channels have a state of their own.
    channel_count: int
    #: Data centers that it has keys of, ascending.
    dcs_with_auth: tuple[int, ...]
    #: How many clients wait for it.
    waiting: int
    #: How many watches selected it.
    watchers: int
    #: Whether its data or its file was found damaged, or its file changed by another program.
    damaged: bool
    #: Whether it is of Telegram's test servers. ``None``: not known.
    test_mode: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How a daemon fares. Counts since its start unless said otherwise."""

    #: When it started.
    started: datetime | None = None
    #: Newest revision of the store.
    revision: int = 0
    #: Oldest revision after which the log is whole.
    log_after: int = 0
    #: Size of the change log now, in bytes.
    log_bytes: int = 0
    #: Sessions known now.
    sessions: int = 0
    #: Sessions held now.
    held: int = 0
    #: Clients that wait for a hold now.
    waiting: int = 0
    #: Watches open now.
    watchers: int = 0
    #: Changes committed.
    commits: int = 0
    #: Batches they were committed in, each with one sync of the disk.
    batches: int = 0
    #: Median time of a recent batch, in seconds. ``None``: there was none yet.
    commit_p50: float | None = None
    #: 99th percentile of the same.
    commit_p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What daemon it is."""

    #: Its version. For people: programs look at ``features``.
    version: str
    #: Where sessions live: ``sqlite`` or ``memory``.
    engine: str
    #: Identity of its store. Revisions of different stores have nothing to do with each other.
    store_id: str
    #: What it can do beyond the first version of the schema.
    features: tuple[str, ...]
    #: How it fares.
    figures: Figures = field(default_factory=Figures)
