"""How a hold stands."""

from __future__ import annotations

import threading
from collections.abc import Callable

from . import errors
from .daemon import LostReason


class Standing:
    """Whether a hold is held, released or lost. What it became once, it stays."""

    __slots__ = ("_lock", "_tell", "lost", "released")

    def __init__(self, *tell: Callable[[LostReason], object]) -> None:
        """Each of ``tell`` is called once, when the hold is lost."""
        self._tell = tell
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
        for tell in self._tell:
            tell(reason)

    def release(self) -> bool:
        """It is let go. Whether it was held until now."""
        with self._lock:
            held = self.is_held()
            self.released = self.released or held
            return held

    def lost_by(self, error: errors.Error) -> errors.Error:
        """The error of a call as one of the hold: when the token is refused, the hold is lost."""
        if not isinstance(error, errors.Fenced):
            return error
        self.lose(LostReason.FENCED)
        return error if self.lost is None else errors.Lost(self.lost)


class Borrowed(Standing):
    """That of a session which another process holds, and this one was given the token of: it is the other's to lose."""

    __slots__ = ()

    def lost_by(self, error: errors.Error) -> errors.Error:
        """The error as it is."""
        return error
