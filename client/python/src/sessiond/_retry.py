"""How long to go on trying, and how often."""

from __future__ import annotations

import random
import time

import grpc

from . import errors
from ._socket import Socket
from ._status import Status

#: How long a call waits for a daemon unless it is told otherwise.
DEADLINE = 30.0
_FIRST_DELAY = 0.02
#: Attempts are at most this far apart, so that a daemon that is back is noticed at once.
_LONGEST_DELAY = 1.0


class Retry:
    """One call over all its attempts: while no daemon answers, it is tried again until a deadline.

    It only reckons; who calls it waits as its kind of program does. All times are in seconds.
    """

    __slots__ = ("_deadline", "_delay", "_heard", "_last", "_patience", "_socket", "retried")

    def __init__(self, socket: Socket, patience: float | None) -> None:
        """Gives up after ``patience``; ``None``: never."""
        self._socket = socket
        self._patience = patience
        self._last: Status | None = None
        #: Whether there was more than one attempt.
        self.retried = False
        self.restart()

    def restart(self) -> None:
        """Begins a new outage, with all of its patience."""
        self._heard = False
        self._delay = _FIRST_DELAY
        self._deadline = None if self._patience is None else time.monotonic() + self._patience

    def heard(self) -> None:
        """A daemon was heard on a stream: when that breaks, it is the beginning of another outage."""
        self._heard = True

    def remaining(self) -> float | None:
        """How long the next attempt may take. ``None``: as long as it likes."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def pause(self, status: Status) -> float:
        """How long to wait before the next attempt.

        :raises Error: there is none, because the daemon refused or the deadline would have passed.
        """
        # An attempt has no other deadline than all of them together.
        if status.code is grpc.StatusCode.DEADLINE_EXCEEDED and not status.reason:
            raise self.given_up()
        if not status.is_passing():
            raise status.error()
        if self._heard:
            self.restart()
        self._last = status
        # Half of the delay to all of it, so that the clients of a daemon do not come back all at once.
        delay = self._delay * random.uniform(0.5, 1.0)
        remaining = self.remaining()
        if remaining is not None and delay >= remaining:
            raise self.given_up()
        self._delay = min(self._delay * 2, _LONGEST_DELAY)
        self.retried = True
        return delay

    def given_up(self) -> errors.Error:
        """What to raise when the deadline has passed."""
        if self._last is not None and self._last.reason == "STORAGE_FAILED":
            return self._last.error()
        return errors.Unavailable(str(self._socket), self._socket.trouble())

    def broken_off(self, status: Status) -> errors.Error:
        """What to raise for an answer that broke off and is not asked for again."""
        if status.code is grpc.StatusCode.UNAVAILABLE:
            return errors.Unavailable(str(self._socket), status.message)
        return status.error()
