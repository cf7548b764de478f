"""The way to the daemon, for programs with asyncio."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from .. import _v1 as v1
from .._channel import OPTIONS
from .._requests import Request
from .._retry import Retry
from .._socket import Socket
from .._status import Status

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
A_co = TypeVar("A_co", covariant=True)


#: What gRPC says, and nothing else, where its own write of a request fails because the connection broke.
_FAILED_WRITE = "Internal error from Core"


class Closable(Protocol):
    """What ends with the connection."""

    def close(self) -> None: ...


class Connection:
    """Two connections to one daemon, of holds and writes and of watches. Each is made when it is needed, and again
    whenever it breaks."""

    def __init__(self, socket: Socket, deadline: float) -> None:
        self._socket = socket
        self._deadline = deadline
        self._process = os.getpid()
        self.loop = asyncio.get_running_loop()
        self._calls = grpc.aio.insecure_channel(socket.target(), OPTIONS)
        self._watches = grpc.aio.insecure_channel(socket.target(), OPTIONS)
        self.sessions = v1.SessionServiceStub(self._calls)
        self.peers = v1.PeerServiceStub(self._calls)
        self.attributes = v1.AttributeServiceStub(self._calls)
        self.admin = v1.AdminServiceStub(self._calls)
        self.watches = v1.SessionServiceStub(self._watches)
        #: Streams that are open.
        self.open: weakref.WeakSet[Closable] = weakref.WeakSet()
        # What was begun and is waited for by nobody: without this, the event loop would forget it.
        self._begun: set[asyncio.Future[object]] = set()

    def __repr__(self) -> str:
        return f"Connection({str(self._socket)!r})"

    def retry(self, deadline: float | None = None) -> Retry:
        """The attempts of one call, within a deadline in seconds, or the client's own."""
        return Retry(self._socket, self._deadline if deadline is None else deadline)

    def retry_for_ever(self) -> Retry:
        """Attempts that only a refusal ends."""
        return Retry(self._socket, None)

    async def call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Request[Q], retry: Retry
    ) -> A:
        """Makes a call, and again while no daemon answers.

        :raises Error: the daemon refused, or the deadline passed.
        """
        while True:
            self.check_process()
            try:
                return await method(request.message, timeout=retry.remaining(), wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                status = Status.of(error)
            await asyncio.sleep(retry.pause(status))

    def begin(self, work: Awaitable[object]) -> asyncio.Future[object]:
        """Lets something run that nobody waits for."""
        future = asyncio.ensure_future(work)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        return future

    def check_process(self) -> None:
        """:raises RuntimeError: this is a child of the process that connected. gRPC's threads are not here, and a call
        would wait for them for ever."""
        if self.is_foreign():
            raise RuntimeError(
                f"this client was made by process {self._process}: after a fork, each process connects for itself"
            )

    def is_foreign(self) -> bool:
        """Whether this is a child of the process that connected."""
        return os.getpid() != self._process

    async def close(self) -> None:
        """Closes both, and what is open. A hold that was not released stays this process's for its resume window."""
        if self.is_foreign():
            return
        for stream in list(self.open):
            stream.close()
        await self._calls.close()
        await self._watches.close()


class Call(Protocol[A_co]):
    """A call with a stream of answers, as gRPC gives one."""

    def __aiter__(self) -> AsyncIterator[A_co]: ...
    def cancel(self) -> bool: ...


class Broken(Exception):
    """A stream ended, and by what."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Ended(Broken):
    """The daemon ended a stream, as one that has told all."""

    def __init__(self) -> None:
        super().__init__(Status.ended())


class Stream(Generic[A]):
    """A stream of answers. gRPC would end it with a reader that is cancelled; here, the next reader gets what that one waited
    for."""

    def __init__(self, call: Call[A]) -> None:
        self._call = call
        self._answers = call.__aiter__()
        self._reading: asyncio.Task[A] | None = None

    async def next(self, timeout: float | None = None) -> A:
        """The next answer.

        :raises Broken: there is none.
        :raises asyncio.TimeoutError: there is none within ``timeout`` seconds.
        """
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(_is_known)
        await asyncio.wait({self._reading}, timeout=timeout)
        if not self._reading.done():
            raise asyncio.TimeoutError
        reading, self._reading = self._reading, None
        if reading.cancelled():
            raise Broken(Status(grpc.StatusCode.CANCELLED, "the stream was closed"))
        return reading.result()

    def cancel(self) -> None:
        """Ends it."""
        self._call.cancel()

    async def _read(self) -> A:
        try:
            return await self._answers.__anext__()
        except StopAsyncIteration:
            raise Ended from None
        except grpc.aio.AioRpcError as error:
            status = Status.of(error)
            if status.code is grpc.StatusCode.INTERNAL and status.message == _FAILED_WRITE:
                status = Status(grpc.StatusCode.UNAVAILABLE, status.message)
            raise Broken(status) from None


class News:
    """Wakes tasks that wait for something to become so."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Something is new."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def wait_for(self, enough: Callable[[], bool], timeout: float | None = None) -> None:
        """Waits until it is enough, or for so many seconds."""
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        while not enough() and (end is None or loop.time() < end):
            waiting: asyncio.Future[None] = loop.create_future()
            self._waiting.add(waiting)
            try:
                await asyncio.wait({waiting}, timeout=None if end is None else end - loop.time())
            finally:
                self._waiting.discard(waiting)


def _is_known(reading: asyncio.Task[A]) -> None:
    """A stream that breaks while nobody reads it is not worth a word of the event loop."""
    if not reading.cancelled():
        reading.exception()
