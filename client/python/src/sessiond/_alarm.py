"""A limit to how long a stream may be silent, where gRPC would end the whole stream with it."""

from __future__ import annotations

import threading
from typing import Protocol


class Cancellable(Protocol):
    """A call that can be cancelled."""

    def cancel(self) -> bool: ...


class Alarm:
    """Cancels a call after some time, unless it is put off. gRPC has deadlines for whole calls alone; a stream that nobody
    answers is to end, and one that was answered is not."""

    def __init__(self, call: Cancellable, seconds: float | None) -> None:
        """``None``: never."""
        self._call = call
        #: Whether it went off.
        self.rang = False
        self._timer: threading.Timer | None = None
        if seconds is not None:
            self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._ring)
            self._timer.daemon = True
            self._timer.start()

    def off(self) -> None:
        """It is not needed any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self.rang = True
        self._call.cancel()
