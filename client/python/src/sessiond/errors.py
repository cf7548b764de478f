"""Why a call did not go through. Tell errors apart by their class; the texts are for people.

No error has a key, a token, an access hash, a phone number or a peer's name in it.
"""

from __future__ import annotations

from datetime import datetime

from .daemon import Holder, LostReason


class Error(Exception):
    """Anything that the daemon refused, or that kept a call from it. One of this very class is a refusal without a class
    of its own."""


class InvalidName(Error, ValueError):
    """The text is not a session's name. Nothing was sent."""


class InvalidArgument(Error):
    """An argument was refused."""

    #: Which rule it broke: INVALID_NAME, INVALID_SESSION, INVALID_PAGE_TOKEN, TOKEN_REQUIRED or REQUEST_ID_REUSED.
    reason: str

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[1])


class HeldByAnother(Error):
    """Another client holds the session. Wait for it (``wait=True``), or end that hold."""

    #: What the holder calls itself. May be empty.
    label: str
    #: Its process id. ``None``: not known.
    pid: int | None
    #: Since when it holds the session.
    since: datetime | None

    def __init__(self, label: str, pid: int | None, since: datetime | None) -> None:
        super().__init__(label, pid, since)
        self.label, self.pid, self.since = label, pid, since

    @classmethod
    def by(cls, holder: Holder | None) -> HeldByAnother:
        """The error for who is in the way; ``None``: the hand-over delay is."""
        return cls("", None, None) if holder is None else cls(holder.label, holder.pid, holder.since)

    def __str__(self) -> str:
        process = "" if self.pid is None else f"process {self.pid}"
        if not self.label:
            return f"{process or 'another client'} holds the session"
        return f"{self.label} ({process}) holds the session" if process else f"{self.label} holds the session"


class Fenced(Error):
    """The token is not that of the session's current hold. Stop using the keys."""

    def __str__(self) -> str:
        return "the token is not that of the session's current hold"


class Lost(Error):
    """The hold was lost. Stop using the keys; every later call with this hold fails so."""

    #: Why.
    reason: LostReason

    def __init__(self, reason: LostReason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the hold was lost: {self.reason}"


class RevisionMismatch(Error):
    """The session is not at the expected revision. Nothing was changed."""

    #: The revision at which it is.
    current: int

    def __init__(self, current: int) -> None:
        super().__init__(current)
        self.current = current

    def __str__(self) -> str:
        return f"the session is at revision {self.current}, not at the expected one"


class FileInUse(Error):
    """Another program has the session's file open."""

    #: Process ids of that program, where they are known.
    pids: tuple[int, ...]

    def __init__(self, pids: tuple[int, ...], message: str) -> None:
        super().__init__(pids, message)
        self.pids = pids

    def __str__(self) -> str:
        return str(self.args[1])


class ForeignFile(Error):
    """The session's file is not as the daemon left it. The text says what to do."""


class NotPermitted(Error):
    """The caller may not do this."""


class Damaged(Error):
    """The session's data cannot be read. The text says what to do."""


class LimitExceeded(Error):
    """A limit of the daemon is reached. The text names it."""


class StorageFull(Error):
    """The daemon's disk is full. Nothing was changed."""


class StorageFailed(Error):
    """The daemon's disk failed until the deadline passed. Whether a write went through is not known."""


class Unavailable(Error):
    """No daemon answered until the deadline passed. Whether a write went through is not known."""

    #: Where it was looked for.
    socket: str

    def __init__(self, socket: str, detail: str) -> None:
        super().__init__(socket, detail)
        self.socket = socket

    def __str__(self) -> str:
        return (
            f"no daemon answers at {self.socket} ({self.args[1]}); "
            "start one with `sessiond serve`, or for a command alone with `sessiond run -- COMMAND`, "
            "or name its socket in SESSIOND_SOCKET"
        )


class ChangeRefused(Error):
    """A change of an advance stream was refused; it and those after it were not applied."""

    #: Its sequence, as ``push`` told it.
    sequence: int
    #: Why.
    refusal: Error

    def __init__(self, sequence: int, refusal: Error) -> None:
        super().__init__(sequence, refusal)
        self.sequence, self.refusal = sequence, refusal

    def __str__(self) -> str:
        return f"change {self.sequence} of the stream was refused: {self.refusal}"
