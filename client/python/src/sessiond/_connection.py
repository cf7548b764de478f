"""The way to the daemon, for programs with threads."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from typing import Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from . import _v1 as v1
from ._channel import OPTIONS
from ._requests import Request
from ._retry import Retry
from ._socket import Socket
from ._status import Status

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
T = TypeVar("T", covariant=True)


class Stream(Iterator[T], Protocol[T]):
    """A stream of answers, as gRPC gives one."""

    def cancel(self) -> bool: ...


class Closable(Protocol):
    """What ends with the connection."""

    def close(self) -> None: ...


class Connection:
    """Two connections to one daemon, of holds and writes and of watches. Each is made when it is needed, and again whenever
    it breaks."""

    def __init__(self, socket: Socket, deadline: float) -> None:
        self._socket = socket
        self._deadline = deadline
        self._process = os.getpid()
        self._calls = grpc.insecure_channel(socket.target(), OPTIONS)
        self._watches = grpc.insecure_channel(socket.target(), OPTIONS)
        self.sessions = v1.SessionServiceStub(self._calls)
        self.peers = v1.PeerServiceStub(self._calls)
        self.attributes = v1.AttributeServiceStub(self._calls)
        self.admin = v1.AdminServiceStub(self._calls)
        self.watches = v1.SessionServiceStub(self._watches)
        #: Streams that are open.
        self.open: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._closed = threading.Event()

    def __repr__(self) -> str:
        return f"Connection({str(self._socket)!r})"

    def retry(self, deadline: float | None = None) -> Retry:
        """The attempts of one call, within a deadline in seconds, or the client's own."""
        return Retry(self._socket, self._deadline if deadline is None else deadline)

    def retry_for_ever(self) -> Retry:
        """Attempts that only a refusal ends."""
        return Retry(self._socket, None)

    def call(self, method: grpc.UnaryUnaryMultiCallable[Q, A], request: Request[Q], retry: Retry) -> A:
        """Makes a call, and again while no daemon answers.

        :raises Error: the daemon refused, or the deadline passed.
        """
        while True:
            self.check_process()
            try:
                return method(request.message, timeout=retry.remaining(), wait_for_ready=True)
            except grpc.RpcError as error:
                status = Status.of(error)
            self._closed.wait(retry.pause(status))

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

    def close(self) -> None:
        """Closes both, and what is open. A hold that was not released stays this process's for its resume window."""
        if self.is_foreign():
            return
        self._closed.set()
        for stream in list(self.open):
            stream.close()
        self._calls.close()
        self._watches.close()
