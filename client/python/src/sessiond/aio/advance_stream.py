"""Changes that do not wait for each other's answers."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from .. import _v1 as v1
from .. import errors
from .._changes import Acknowledged, Changes
from .._requests import Requests
from .._retry import Retry
from .._standing import Standing
from .._status import Status
from ..session import StateChange
from ._connection import Broken, Connection, News, Stream
from ._loss import lost_by


class AdvanceStream:
    """Changes of one session that do not wait for each other's answers. :meth:`HeldSession.advance_stream` gives it.

    They are applied in order, each as a commit of its own. When the connection breaks, those that were not acknowledged are
    sent again as one change with the same effect, so that no counter is ever seen to go back. The first change that is refused
    ends the stream: it and those after it are not applied, and every method says which it was.

    As a context manager it :meth:`finishes <finish>`; if the block raises, it is closed. Closed or forgotten without
    ``finish``, what was not acknowledged may or may not be applied.
    """

    def __init__(self, connection: Connection, requests: Requests, standing: Standing) -> None:
        self._sender = _Sender(connection, requests, standing)
        forgotten = weakref.finalize(self, self._sender.close_from_any_thread)
        forgotten.atexit = False  # type: ignore[misc]

    async def push(self, change: StateChange) -> int:
        """Adds a change, and gives its sequence: 1, 2, 3... Waits while 8,192 are unacknowledged.

        :raises ChangeRefused: an earlier change was. As with the other errors, this one was not added, and the stream has ended.
        :raises Lost: the session is not held any more.
        :raises Unavailable: no daemon answered for as long as the client's deadline.
        """
        await self._sender.wait_for(lambda changes: not changes.is_full())
        sequence = self._sender.changes.push(change)
        self._sender.news.tell()
        return sequence

    @property
    def acknowledged(self) -> Acknowledged:
        """How far the changes are durable, as far as is known now."""
        return self._sender.changes.acknowledged

    async def durable(self, sequence: int) -> Acknowledged:
        """Waits until every change up to this sequence is durable. Raises as :meth:`push` does."""
        await self._sender.wait_for(lambda changes: changes.acknowledged.sequence >= sequence)
        return self._sender.changes.acknowledged

    async def finish(self) -> int | None:
        """Waits until every change is durable, and gives the session's revision after the last; ``None``: there was none.
        Raises as :meth:`push` does."""
        self._sender.changes.closed = True
        self._sender.news.tell()
        await self._sender.wait_for(Changes.is_empty)
        return self.acknowledged.revision if self.acknowledged.sequence else None

    def close(self) -> None:
        """Ends the stream without waiting for what was not acknowledged."""
        self._sender.close()

    async def __aenter__(self) -> AdvanceStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self.finish()
        finally:
            self.close()


class _Sender:
    """Sends what is pushed, over as many connections as it takes. A task of its own takes the acknowledgements."""

    def __init__(self, connection: Connection, requests: Requests, standing: Standing) -> None:
        self._connection = connection
        self._requests = requests
        self._standing = standing
        self.changes = Changes()
        #: Tells of every change of the changes.
        self.news = News()
        self._error: errors.Error | None = None
        self._closed = False
        connection.check_process()
        connection.open.add(self)
        self._sending = connection.begin(self._send())

    async def wait_for(self, enough: Callable[[Changes], bool]) -> None:
        """:raises Error: the stream has ended before that."""
        self._connection.check_process()
        self._standing.check()
        await self.news.wait_for(lambda: self._is_over() or enough(self.changes))
        if self._error is not None:
            raise self._error
        if not enough(self.changes):
            raise ValueError("the advance stream is closed")

    def close(self) -> None:
        """Ends it."""
        if self._connection.is_foreign():
            return
        self._closed = self.changes.closed = True
        self.news.tell()
        self._sending.cancel()

    def close_from_any_thread(self) -> None:
        """The same, for whoever collects the garbage."""
        if not self._connection.is_foreign() and not self._connection.loop.is_closed():
            self._connection.loop.call_soon_threadsafe(self.close)

    def _is_over(self) -> bool:
        return self._closed or self._error is not None

    async def _send(self) -> None:
        retry = self._connection.retry()
        try:
            while await self._filled(retry):
                await self._over_one_connection(retry)
        except errors.Error as error:
            self._error = await lost_by(self._standing, error)
            self.news.tell()

    async def _filled(self, retry: Retry) -> bool:
        """Waits until there is something to send. Whether there will be."""
        if self.changes.is_empty():
            await self.news.wait_for(lambda: self.changes.closed or not self.changes.is_empty())
            retry.restart()
        return not self.changes.is_empty()

    async def _over_one_connection(self, retry: Retry) -> None:
        self._standing.check()
        messages = self._messages(self.changes.begin())
        stream = Stream(self._connection.sessions.AdvanceStream(messages, wait_for_ready=True))
        unanswered = retry.remaining()
        try:
            while True:
                response = await stream.next(unanswered)
                unanswered = None
                retry.heard()
                self.changes.acknowledge(response.sequence, response.revision)
                self.news.tell()
        except Broken as broken:
            status = broken.status
        except asyncio.TimeoutError:
            raise retry.given_up() from None
        finally:
            stream.cancel()
        await self._after(status, retry)

    async def _after(self, status: Status, retry: Retry) -> None:
        if self.changes.is_empty():
            return
        if status.is_passing():
            await asyncio.sleep(retry.pause(status))
            return
        error = await lost_by(self._standing, status.error())
        sequence = status.refused_sequence()
        # That the hold was lost has nothing to do with the change.
        if sequence is None or isinstance(error, (errors.Lost, errors.Fenced)):
            raise error
        raise errors.ChangeRefused(self.changes.first_of(sequence), error)

    async def _messages(self, number: int) -> AsyncIterator[v1.AdvanceStreamRequest]:
        """What one connection sends. gRPC asks for it in a task of its own."""
        name, token = self._requests.name, self._requests.token.expose()
        while True:
            await self.news.wait_for(lambda: self._is_over() or self.changes.can_go_on(number))
            following = None if self._is_over() else self.changes.next(number)
            if following is None:
                return
            sequence, change = following
            yield v1.AdvanceStreamRequest(name=name, token=token, change=change, sequence=sequence)
            name, token = "", b""
