"""A session, held for this process alone."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Generator
from types import TracebackType

from .. import _v1 as v1
from .. import errors
from .._held import Grant
from .._requests import Requests
from .._standing import Standing
from .._token import Token
from ..daemon import LostReason
from ._connection import Connection, Stream
from ._interruption import Interruption
from ._life_line import LifeLine, Line
from .held import HeldSession, OnLost, from_the_loop


class HoldRequest:
    """Asks for a session when it is awaited, which gives a :class:`Hold`, or used with ``async with``, which also releases
    it."""

    def __init__(
        self, connection: Connection, line: Line, request: v1.HoldRequest, on_lost: OnLost | None
    ) -> None:
        self._connection = connection
        self._line = line
        self._request = request
        self._on_lost = on_lost
        self._hold: Hold | None = None

    def __repr__(self) -> str:
        return f"<HoldRequest of {self._request.name!r}>"

    def __await__(self) -> Generator[object, None, Hold]:
        return self._granted().__await__()

    async def __aenter__(self) -> Hold:
        self._hold = await self
        return await self._hold.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._hold is not None:
            await self._hold.__aexit__(kind, error, traceback)

    async def _granted(self) -> Hold:
        granted, stream = await self._line.granted()
        return Hold(self._connection, self._request, granted, stream, self._on_lost)


class Hold(HeldSession, Grant):
    """A session, held for this process alone: :meth:`Client.hold` gives it. With ``async with`` it is released at the end::

        async with client.hold("alice", wait=True) as hold:
            await hold.advance(StateChange(pts=1042))

    A daemon that is down or restarts does not end a hold: it is taken up again by its token, for as long as it takes.

    Whether it was **lost**, because an operator ended it, say, the program hears in three ways, and the keys must not be used
    from then on: ``on_lost`` is called; the ``async with`` block is cancelled where it waits, and raises :class:`Lost`, as a
    block of ``asyncio.timeout()`` raises ``TimeoutError``; and every later call raises :class:`Lost`. If the block raises
    something else, that has the :class:`Lost` as its ``__cause__``. On Python 3.10 a cancellation from elsewhere in the very
    moment of the loss cannot be told from it, and becomes :class:`Lost` too.

    A hold that is forgotten without :meth:`release` stays this process's until the daemon's resume window is over, because the
    connection to Telegram may live on; if the process ends, until the hand-over delay is. After ``os.fork()`` it is the
    parent's.
    """

    def __init__(
        self,
        connection: Connection,
        request: v1.HoldRequest,
        granted: v1.Granted,
        stream: Stream[v1.HoldResponse],
        on_lost: OnLost | None,
    ) -> None:
        self._interruption = Interruption()
        standing = Standing(from_the_loop(connection, on_lost), self._interruption.begin)
        HeldSession.__init__(self, connection, Requests(request.name, Token(granted.token)), standing)
        Grant.__init__(self, granted)
        request.token = granted.token
        self._life_line = LifeLine(connection, request, stream, self._standing)
        forgotten = weakref.finalize(self, self._life_line.close_from_any_thread)
        forgotten.atexit = False  # type: ignore[misc]

    async def release(self) -> None:
        """Lets the session go, at once and for good. Close the connection to Telegram first. To release again does nothing.

        :raises Lost: the hold had ended before.
        :raises Unavailable: the daemon was not told, and passes the session on by its own rules.
        """
        self._connection.check_process()
        held = self._standing.release()
        try:
            self._standing.check()
            if held:
                await self._tell_release()
        finally:
            self._life_line.close()

    async def __aenter__(self) -> Hold:
        self._interruption.enter(self.lost)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection.is_foreign():
            return
        interrupted = self._interruption.leave(error)
        try:
            await self.release()
        except errors.Error as failure:
            if error is None or interrupted:
                raise
            # What the block raised goes on; what became of the hold is beside it.
            if isinstance(failure, errors.Lost) and not isinstance(
                error, (errors.Lost, asyncio.CancelledError)
            ):
                error.__cause__ = error.__cause__ or failure

    async def _tell_release(self) -> None:
        retry = self._connection.retry()
        try:
            await self._connection.call(self._connection.sessions.Release, self._requests.release(), retry)
        except errors.Fenced:
            # After an attempt that was not answered, it is taken for that attempt having gone through.
            if not retry.retried:
                raise errors.Lost(LostReason.FENCED) from None
