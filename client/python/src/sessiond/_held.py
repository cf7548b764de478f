"""What a held session says of itself: the same for programs with threads and for those with asyncio."""

from __future__ import annotations

from . import _v1 as v1
from . import _wire
from ._requests import Requests
from ._standing import Standing
from ._token import Token
from .daemon import LostReason
from .session import Session


class Held:
    """A held session."""

    def __init__(self, requests: Requests, standing: Standing) -> None:
        self._requests = requests
        self._standing = standing

    def __repr__(self) -> str:
        standing = "released" if self._standing.released else "held"
        return f"<{type(self).__name__} {self.name!r}, {f'lost: {self.lost}' if self.lost else standing}>"

    @property
    def name(self) -> str:
        """The session's name."""
        return self._requests.name

    @property
    def token(self) -> Token:
        """The hold's token, for processes that work for this one. A secret."""
        return self._requests.token

    @property
    def lost(self) -> LostReason | None:
        """Why the hold was lost. ``None``: it was not, as far as is known."""
        return self._standing.lost


class Grant:
    """How things stood when a hold was granted."""

    def __init__(self, granted: v1.Granted) -> None:
        self._fence = granted.fence
        self._revision = granted.revision
        self._session = _wire.session(granted.session) if granted.HasField("session") else None
        self._resume_within = _wire.seconds(granted.resume_within)

    @property
    def fence(self) -> int:
        """Revision at which the hold was granted. A later hold of the session has a higher one."""
        return self._fence

    @property
    def revision(self) -> int:
        """The session's revision when the hold was granted. 0: there was no session."""
        return self._revision

    @property
    def session(self) -> Session | None:
        """The session when the hold was granted, with its keys. ``None``: there was none."""
        return self._session

    @property
    def resume_within(self) -> float:
        """How long this process may be out of touch with a running daemon before the hold is lost, in seconds."""
        return self._resume_within
