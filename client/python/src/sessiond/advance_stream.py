"""Changes that do not wait for each other's answers."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType

import grpc

from . import _v1 as v1
from . import errors
from ._alarm import Alarm
from ._changes import Acknowledged, Changes
from ._connection import Connection, Stream
from ._loss import lost_by
from ._requests import Requests
from ._retry import Retry
from ._standing import Standing
from ._status import Status
from .session import StateChange


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
        weakref.finalize(self, self._sender.close).atexit = False  # type: ignore[misc]

    def push(self, change: StateChange) -> int:
        """Adds a change, and gives its sequence: 1, 2, 3... Waits while 8,192 are unacknowledged.

        :raises ChangeRefused: an earlier change was. As with the other errors, this one was not added, and the stream has ended.
        :raises Lost: the session is not held any more.
        :raises Unavailable: no daemon answered for as long as the client's deadline.
        """
        with self._sender.news:
            self._sender.wait_for(lambda changes: not changes.is_full())
            sequence = self._sender.changes.push(change)
            self._sender.news.notify_all()
            return sequence

    @property
    def acknowledged(self) -> Acknowledged:
        """How far the changes are durable, as far as is known now."""
        return self._sender.changes.acknowledged

    def durable(self, sequence: int) -> Acknowledged:
        """Waits until every change up to this sequence is durable. Raises as :meth:`push` does."""
        with self._sender.news:
            self._sender.wait_for(lambda changes: changes.acknowledged.sequence >= sequence)
            return self._sender.changes.acknowledged

    def finish(self) -> int | None:
        """Waits until every change is durable, and gives the session's revision after the last; ``None``: there was none.
        Raises as :meth:`push` does."""
        with self._sender.news:
            self._sender.changes.closed = True
            self._sender.news.notify_all()
            self._sender.wait_for(Changes.is_empty)
            return self.acknowledged.revision if self.acknowledged.sequence else None

    def close(self) -> None:
        """Ends the stream without waiting for what was not acknowledged."""
        self._sender.close()

    def __enter__(self) -> AdvanceStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self.close()


class _Sender:
    """Sends what is pushed, over as many connections as it takes. A thread of its own takes the acknowledgements."""

    def __init__(self, connection: Connection, requests: Requests, standing: Standing) -> None:
        self._connection = connection
        self._requests = requests
        self._standing = standing
        self.changes = Changes()
        #: Guards the changes, and tells of every change of them.
        self.news = threading.Condition()
        self._error: errors.Error | None = None
        self._closed = False
        self._stream: Stream[v1.AdvanceStreamResponse] | None = None
        connection.check_process()
        connection.open.add(self)
        threading.Thread(target=self._send, name=f"sessiond advance {requests.name}", daemon=True).start()

    def wait_for(self, enough: Callable[[Changes], bool]) -> None:
        """:raises Error: the stream has ended before that."""
        self._connection.check_process()
        self._standing.check()
        self.news.wait_for(lambda: self._is_over() or enough(self.changes))
        if self._error is not None:
            raise self._error
        if not enough(self.changes):
            raise ValueError("the advance stream is closed")

    def close(self) -> None:
        """Ends it."""
        if self._connection.is_foreign():
            return
        with self.news:
            self._closed = self.changes.closed = True
            self.news.notify_all()
            stream = self._stream
        if stream is not None:
            stream.cancel()

    def _is_over(self) -> bool:
        return self._closed or self._error is not None

    def _send(self) -> None:
        retry = self._connection.retry()
        try:
            while self._filled(retry):
                self._over_one_connection(retry)
        except errors.Error as error:
            failure = lost_by(self._standing, error)
            with self.news:
                self._error = failure
                self.news.notify_all()

    def _filled(self, retry: Retry) -> bool:
        """Waits until there is something to send. Whether there will be."""
        with self.news:
            if self.changes.is_empty():
                self.news.wait_for(
                    lambda: self._is_over() or self.changes.closed or not self.changes.is_empty()
                )
                retry.restart()
            return not self._closed and not self.changes.is_empty()

    def _over_one_connection(self, retry: Retry) -> None:
        self._standing.check()
        with self.news:
            if self._closed:
                return
            messages = self._messages(self.changes.begin())
            stream = self._stream = self._connection.sessions.AdvanceStream(messages, wait_for_ready=True)
        unanswered = Alarm(stream, retry.remaining())
        try:
            for response in stream:
                unanswered.off()
                retry.heard()
                with self.news:
                    self.changes.acknowledge(response.sequence, response.revision)
                    self.news.notify_all()
            status = Status.ended()
        except grpc.RpcError as error:
            status = Status.of(error)
        finally:
            unanswered.off()
        if unanswered.rang:
            raise retry.given_up()
        self._after(status, retry)

    def _after(self, status: Status, retry: Retry) -> None:
        with self.news:
            if self._closed or self.changes.is_empty():
                return
            if status.is_passing():
                self.news.wait_for(lambda: self._closed, retry.pause(status))
                return
        error = lost_by(self._standing, status.error())
        sequence = status.refused_sequence()
        # That the hold was lost has nothing to do with the change.
        if sequence is None or isinstance(error, (errors.Lost, errors.Fenced)):
            raise error
        raise errors.ChangeRefused(self.changes.first_of(sequence), error)

    def _messages(self, number: int) -> Iterator[v1.AdvanceStreamRequest]:
        """What one connection sends. gRPC asks for it in a thread of its own."""
        name, token = self._requests.name, self._requests.token.expose()
        while True:
            with self.news:
                self.news.wait_for(lambda: self._is_over() or self.changes.can_go_on(number))
                following = None if self._is_over() else self.changes.next(number)
            if following is None:
                return
            sequence, change = following
            yield v1.AdvanceStreamRequest(name=name, token=token, change=change, sequence=sequence)
            name, token = "", b""
