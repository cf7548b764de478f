"""A server that answers as it is told, in place of a daemon."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from sessiond import _v1 as v1

_SERVICE = "sessiond.v1.SessionService"


class Refusal(Exception):
    """What a call is refused with."""

    def __init__(self, code: grpc.StatusCode, reason: str = "", **metadata: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.metadata = metadata

    def end(self, context: grpc.ServicerContext) -> None:
        """Ends a call with it."""
        status = Status(code=self.code.value[0], message="in the daemon's words")
        if self.reason:
            detail = Any()
            detail.Pack(ErrorInfo(reason=self.reason, domain="sessiond", metadata=self.metadata))
            status.details.append(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(self.code, status.message)


class Sessions:
    """Answers writes by a script: each call takes the next line of it."""

    def __init__(self, script: Iterator[Refusal | int]) -> None:
        self._script = script
        #: The writes that came.
        self.requests: list[v1.AdvanceRequest] = []

    def advance(self, request: v1.AdvanceRequest, context: grpc.ServicerContext) -> v1.AdvanceResponse:
        self.requests.append(request)
        line = next(self._script)
        if isinstance(line, Refusal):
            line.end(context)
            raise AssertionError("the call has ended")
        return v1.AdvanceResponse(revision=line)


@contextmanager
def scripted(folder: Path, *script: Refusal | int) -> Iterator[tuple[str, Sessions]]:
    """Serves a script on a socket."""
    sessions = Sessions(iter(script))
    server = grpc.server(ThreadPoolExecutor(4))
    advance = grpc.unary_unary_rpc_method_handler(
        sessions.advance, v1.AdvanceRequest.FromString, v1.AdvanceResponse.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Advance": advance}),))
    socket = str(folder / "scripted.sock")
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield socket, sessions
    finally:
        server.stop(None).wait()
