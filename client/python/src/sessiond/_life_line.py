"""The stream that keeps a session held, for programs with threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import grpc

from . import _v1 as v1
from . import _wire, errors
from ._alarm import Alarm
from ._connection import Connection, Stream
from ._standing import Standing
from ._status import Status
from .daemon import LostReason, Waiting

#: An open Hold stream.
_Stream: TypeAlias = Stream[v1.HoldResponse]


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

    def granted(self) -> tuple[v1.Granted, _Stream]:
        """Waits for the grant.

        :raises Error: it was refused, or the time is over.
        """
        retry = self._connection.retry()
        while True:
            self._connection.check_process()
            stream = self._connection.sessions.Hold(self._request, wait_for_ready=True)
            unanswered = Alarm(stream, retry.remaining())
            too_long = Alarm(stream, self._left())
            try:
                for response in stream:
                    unanswered.off()
                    retry.heard()
                    if granted := self._heard(response):
                        return granted, stream
                status = Status.ended()
            except grpc.RpcError as error:
                status = Status.of(error)
            except BaseException:
                stream.cancel()
                raise
            finally:
                unanswered.off()
                too_long.off()
            if too_long.rang and self._waiting is not None:
                raise errors.HeldByAnother.by(self._waiting.holder)
            if too_long.rang or unanswered.rang:
                raise retry.given_up()
            time.sleep(retry.pause(status))

    def _heard(self, response: v1.HoldResponse) -> v1.Granted | None:
        match response.WhichOneof("event"):
            case "granted":
                return response.granted
            case "waiting":
                self._waiting = _wire.waiting(response.waiting)
                if self._on_waiting is not None:
                    self._on_waiting(self._waiting)
            case "lost":
                raise errors.Lost(_wire.lost_reason(response.lost.reason))
        return None

    def _left(self) -> float | None:
        return None if self._give_up is None else max(self._give_up - time.monotonic(), 0.0)


class LifeLine:
    """Keeps a granted hold: its stream is opened again with its token, for as long as it takes. A thread of its own listens, and
    knows nothing of the :class:`~sessiond.Hold`, so that one that is forgotten is closed."""

    def __init__(
        self, connection: Connection, request: v1.HoldRequest, stream: _Stream, standing: Standing
    ) -> None:
        """``request`` has the token."""
        self._connection = connection
        self._request = request
        self._standing = standing
        self._lock = threading.Lock()
        self._stream: _Stream | None = stream
        self._closed = threading.Event()
        connection.open.add(self)
        threading.Thread(target=self._keep, name=f"sessiond hold {request.name}", daemon=True).start()

    def close(self) -> None:
        """Closes the stream, which says that this process does not use the keys any more."""
        if self._connection.is_foreign():
            return
        with self._lock:
            self._closed.set()
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    def _keep(self) -> None:
        retry = self._connection.retry_for_ever()
        while (stream := self._opened()) is not None:
            try:
                for response in stream:
                    retry.heard()
                    if response.HasField("lost"):
                        # The session is granted to the next when the stream is closed: when the program lets go.
                        self._standing.lose(_wire.lost_reason(response.lost.reason))
                status = Status.ended()
            except grpc.RpcError as error:
                status = Status.of(error)
            if self._is_over(status):
                return
            # Whatever it was, it did not say that the hold has ended, and only that ends it.
            again = Status(grpc.StatusCode.UNAVAILABLE, status.message)
            self._closed.wait(retry.pause(again))

    def _opened(self) -> _Stream | None:
        """The stream that is open, or a new one. ``None``: it was closed."""
        with self._lock:
            if self._closed.is_set():
                return None
            if self._stream is None:
                self._stream = self._connection.sessions.Hold(self._request, wait_for_ready=True)
            return self._stream

    def _is_over(self, status: Status) -> bool:
        with self._lock:
            self._stream = None
        if status.reason == "FENCED":
            self._standing.lose(LostReason.FENCED)
        return self._closed.is_set() or not self._standing.is_held()
