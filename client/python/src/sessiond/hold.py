"""A session, held for this process alone."""

from __future__ import annotations

import weakref
from types import TracebackType

from . import _v1 as v1
from . import errors
from ._connection import Connection
from ._held import Grant
from ._life_line import LifeLine, Line
from ._requests import Requests
from ._standing import Standing
from ._token import Token
from .daemon import LostReason
from .held import HeldSession, OnLost, in_a_thread


class Hold(HeldSession, Grant):
    """A session, held for this process alone: :meth:`Client.hold` gives it. As a context manager it releases the session::

        with client.hold("alice", wait=True) as hold:
            hold.advance(StateChange(pts=1042))

    A daemon that is down or restarts does not end a hold: it is taken up again by its token, for as long as it takes.

    Whether it was **lost**, because an operator ended it, say, the program hears in three ways, and the keys must not be used
    from then on: ``on_lost`` is called, from a thread of its own; every later call raises :class:`Lost`; and so does leaving
    the ``with`` block. If the block raises something else, that has the :class:`Lost` as its ``__cause__``.

    A hold that is forgotten without :meth:`release` stays this process's until the daemon's resume window is over, because the
    connection to Telegram may live on; if the process ends, until the hand-over delay is. After ``os.fork()`` it is the
    parent's.
    """

    def __init__(
        self, connection: Connection, line: Line, request: v1.HoldRequest, on_lost: OnLost | None
    ) -> None:
        """Waits until it is granted."""
        granted, stream = line.granted()
        standing = Standing(in_a_thread(on_lost, request.name))
        HeldSession.__init__(self, connection, Requests(request.name, Token(granted.token)), standing)
        Grant.__init__(self, granted)
        request.token = granted.token
        self._life_line = LifeLine(connection, request, stream, self._standing)
        weakref.finalize(self, self._life_line.close).atexit = False  # type: ignore[misc]

    def release(self) -> None:
        """Lets the session go, at once and for good. Close the connection to Telegram first. To release again does nothing.

        :raises Lost: the hold had ended before.
        :raises Unavailable: the daemon was not told, and passes the session on by its own rules.
        """
        self._connection.check_process()
        held = self._standing.release()
        try:
            self._standing.check()
            if held:
                self._tell_release()
        finally:
            self._life_line.close()

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection.is_foreign():
            return
        try:
            self.release()
        except errors.Error as failure:
            if error is None:
                raise
            # What the block raised goes on; what became of the hold is beside it.
            if isinstance(failure, errors.Lost) and not isinstance(error, errors.Lost):
                error.__cause__ = error.__cause__ or failure

    def _tell_release(self) -> None:
        retry = self._connection.retry()
        try:
            self._connection.call(self._connection.sessions.Release, self._requests.release(), retry)
        except errors.Fenced:
            # After an attempt that was not answered, it is taken for that attempt having gone through.
            if not retry.retried:
                raise errors.Lost(LostReason.FENCED) from None
