"""How a hold stands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from . import errors
from .daemon import LostReason

#: How long a call whose token is refused waits for the hold's stream to say why, in seconds: that is on its way then, unless the
#: stream is being opened again, which takes up to a second.
TOLD_WITHIN = 1.0


class Standing:
    """Whether a hold is held, released or lost. What it became once, it stays."""

    __slots__ = ("_lock", "_tell", "_waiting", "lost", "released")

    def __init__(self, *tell: Callable[[LostReason], object]) -> None:
        """Each of ``tell`` is called once, when the hold is lost."""
        self._tell = tell
        self._waiting: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self.lost: LostReason | None = None
        self.released = False

    def is_held(self) -> bool:
        """Whether it has not ended."""
        return self.lost is None and not self.released

    def check(self) -> None:
        """:raises Lost: it was lost."""
        if self.lost is not None:
            raise errors.Lost(self.lost)

    def lose(self, reason: LostReason) -> None:
        """It was lost, unless it had ended before."""
        with self._lock:
            if not self.is_held():
                return
            self.lost = reason
            waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()
        for tell in self._tell:
            tell(reason)

    def when_lost(self, call: Callable[[], object]) -> None:
        """Calls this when it is lost, before anybody else hears of it; now, where it was lost already."""
        with self._lock:
            if self.lost is None:
                self._waiting.append(call)
                return
        call()

    def release(self) -> bool:
        """It is let go. Whether it was held until now."""
        with self._lock:
            held = self.is_held()
            self.released = self.released or held
            return held

    def is_about_to_be_lost(self, error: errors.Error) -> bool:
        """Whether an error says that the token is refused, and the hold's stream has not told why."""
        return isinstance(error, errors.Fenced) and self.is_held()

    def lost_by(self, error: errors.Error) -> errors.Error:
        """The error of a call as one of the hold: when the token is refused, the hold is lost."""
        if not isinstance(error, errors.Fenced):
            return error
        self.lose(LostReason.FENCED)
        return error if self.lost is None else errors.Lost(self.lost)


class Borrowed(Standing):
    """That of a session which another process holds, and this one was given the token of: it is the other's to lose."""

    __slots__ = ()

    def is_about_to_be_lost(self, error: errors.Error) -> bool:
        """Never: nobody tells."""
        return False

    def lost_by(self, error: errors.Error) -> errors.Error:
        """The error as it is."""
        return error
