"""The stream that keeps a session held, for programs with asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import grpc

from .. import _v1 as v1
from .. import _wire, errors
from .._retry import Retry
from .._standing import Standing
from .._status import Status
from ..daemon import LostReason, Waiting
from ._connection import Broken, Connection, Stream


class Line:
    """Asking for a hold, until it is granted or refused."""

    def __init__(
        self,
        connection: Connection,
        request: v1.HoldRequest,
        on_waiting: Callable[[Waiting], object] | None,
        timeout: float | None,
    ) -> None:
        self._connection = connection
        self._request = request
        self._on_waiting = on_waiting
        self._give_up = None if timeout is None else time.monotonic() + timeout
        # Who is in the way, as far as is known.
        self._waiting: Waiting | None = None

    async def granted(self) -> tuple[v1.Granted, Stream[v1.HoldResponse]]:
        """Waits for the grant.

        :raises Error: it was refused, or the time is over.
        """
        retry = self._connection.retry()
        while True:
            self._connection.check_process()
            stream = Stream(self._connection.sessions.Hold(self._request, wait_for_ready=True))
            try:
                return await self._listen(stream, retry), stream
            except Broken as broken:
                status = broken.status
            except BaseException:
                stream.cancel()
                raise
            await asyncio.sleep(retry.pause(status))

    async def _listen(self, stream: Stream[v1.HoldResponse], retry: Retry) -> v1.Granted:
        unanswered = retry.remaining()
        while True:
            try:
                response = await stream.next(self._left(unanswered))
            except asyncio.TimeoutError:
                late = self._waiting
                raise (retry.given_up() if late is None else errors.HeldByAnother.by(late.holder)) from None
            unanswered = None
            retry.heard()
            match response.WhichOneof("event"):
                case "granted":
                    return response.granted
                case "waiting":
                    self._waiting = _wire.waiting(response.waiting)
                    if self._on_waiting is not None:
                        self._on_waiting(self._waiting)
                case "lost":
                    raise errors.Lost(_wire.lost_reason(response.lost.reason))

    def _left(self, unanswered: float | None) -> float | None:
        """How long the daemon may be silent."""
        if self._give_up is None:
            return unanswered
        left = max(self._give_up - time.monotonic(), 0.0)
        return left if unanswered is None else min(left, unanswered)


class LifeLine:
    """Keeps a granted hold: its stream is opened again with its token, for as long as it takes. A task of its own listens,
    and knows nothing of the :class:`~sessiond.aio.Hold`, so that one that is forgotten is closed."""

    def __init__(
        self,
        connection: Connection,
        request: v1.HoldRequest,
        stream: Stream[v1.HoldResponse],
        standing: Standing,
    ) -> None:
        """``request`` has the token."""
        self._connection = connection
        self._request = request
        self._standing = standing
        self._keeping = connection.begin(self._keep(stream))
        connection.open.add(self)

    def close(self) -> None:
        """Closes the stream, which says that this process does not use the keys any more."""
        if not self._connection.is_foreign():
            self._keeping.cancel()

    def close_from_any_thread(self) -> None:
        """The same, for whoever collects the garbage."""
        if not self._connection.is_foreign() and not self._connection.loop.is_closed():
            self._connection.loop.call_soon_threadsafe(self._keeping.cancel)

    async def _keep(self, stream: Stream[v1.HoldResponse]) -> None:
        retry = self._connection.retry_for_ever()
        while True:
            try:
                while True:
                    response = await stream.next()
                    retry.heard()
                    if response.HasField("lost"):
                        # The session is granted to the next when the stream is closed: when the program lets go.
                        self._standing.lose(_wire.lost_reason(response.lost.reason))
            except Broken as broken:
                status = broken.status
            finally:
                stream.cancel()
            if status.reason == "FENCED":
                self._standing.lose(LostReason.FENCED)
            if not self._standing.is_held():
                return
            # Whatever it was, it did not say that the hold has ended, and only that ends it.
            again = Status(grpc.StatusCode.UNAVAILABLE, status.message)
            await asyncio.sleep(retry.pause(again))
            stream = Stream(self._connection.sessions.Hold(self._request, wait_for_ready=True))
