"""Following sessions."""

from __future__ import annotations

import threading
from types import TracebackType

import grpc

from . import _v1 as v1
from . import errors
from ._alarm import Alarm
from ._connection import Connection, Stream
from ._place import Place, WatchPosition
from ._status import Status
from .events import WatchEvent


class Watch:
    """Follows sessions: an iterator of what happens to them. :meth:`Client.watch` gives it.

    It begins with :class:`Restarted`, a :class:`Snapshot` of each session, and :class:`Synced`; then comes every
    :class:`Commit`, in order, once, with none left out. When the connection breaks or the daemon restarts it goes on where it
    was, for as long as it takes; where that is not possible it says so by another :class:`Restarted`. Before the first event,
    no daemon for as long as the client's deadline is :class:`Unavailable`. After an error it has ended. With
    :attr:`WatchMode.LATEST`, commits may be left out and come again.

    A watch may be left unread: it holds nothing else up, and the daemon remembers for it within limits. It is for one thread
    at a time; :meth:`close` may be called from any.
    """

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection = connection
        self._place = place
        self._retry = connection.retry()
        self._stream: Stream[v1.WatchResponse] | None = None
        self._unanswered: Alarm | None = None
        self._closed = threading.Event()
        connection.open.add(self)

    def __repr__(self) -> str:
        return f"<Watch at {self.position}>"

    @property
    def position(self) -> WatchPosition | None:
        """How far it has come, as far as its events were read: what another watch may go on from, also in another process.
        ``None`` until synced."""
        return self._place.position

    def close(self) -> None:
        """Ends the watch, also under a thread that waits for its next event."""
        if self._connection.is_foreign():
            return
        self._closed.set()
        if (stream := self._stream) is not None:
            stream.cancel()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> WatchEvent:
        while not self._closed.is_set():
            try:
                message = next(self._opened())
            except StopIteration:
                self._broken(Status.ended())
            except grpc.RpcError as error:
                self._broken(Status.of(error))
            else:
                if (event := self._fresh(message)) is not None:
                    return event
        raise StopIteration

    def __del__(self) -> None:
        self.close()

    def _opened(self) -> Stream[v1.WatchResponse]:
        if self._stream is None:
            self._connection.check_process()
            self._stream = self._connection.watches.Watch(self._place.request(), wait_for_ready=True)
            self._unanswered = Alarm(self._stream, self._retry.remaining())
            if self._closed.is_set():
                # By another thread, which did not know of this stream.
                self._stream.cancel()
        return self._stream

    def _broken(self, status: Status) -> None:
        self._stream = None
        if self._closed.is_set():
            return
        try:
            if self._unanswered is not None and self._unanswered.rang:
                raise self._retry.given_up()
            delay = self._retry.pause(status)
        except errors.Error:
            self._closed.set()
            raise
        finally:
            self._answered()
        self._closed.wait(delay)

    def _answered(self) -> None:
        if self._unanswered is not None:
            self._unanswered.off()
            self._unanswered = None

    def _fresh(self, message: v1.WatchResponse) -> WatchEvent | None:
        self._answered()
        if not self._place.begun:
            self._retry = self._connection.retry_for_ever()
        self._retry.heard()
        return self._place.fresh(message)
