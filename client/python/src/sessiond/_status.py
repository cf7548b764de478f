"""What a gRPC status says: the one place where codes and reasons become errors."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Protocol

import grpc
from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status as RpcStatus

from . import errors

_DOMAIN = "sessiond"
#: Metadata in which gRPC carries the details of a status.
_DETAILS = "grpc-status-details-bin"
_INVALID = ("INVALID_NAME", "INVALID_SESSION", "INVALID_PAGE_TOKEN", "TOKEN_REQUIRED", "REQUEST_ID_REUSED")
_IN_WORDS_OF_THE_DAEMON: dict[str, type[errors.Error]] = {
    "FOREIGN_FILE": errors.ForeignFile,
    "NOT_PERMITTED": errors.NotPermitted,
    "SESSION_DAMAGED": errors.Damaged,
    "LIMIT_EXCEEDED": errors.LimitExceeded,
    "STORAGE_FULL": errors.StorageFull,
    "STORAGE_FAILED": errors.StorageFailed,
}


class RpcError(Protocol):
    """What the errors of both gRPC APIs have."""

    def code(self) -> grpc.StatusCode: ...
    def details(self) -> str | None: ...
    def trailing_metadata(self) -> Any: ...


class Status:
    """How a call ended: a code, a reason of the daemon if it had one, and what belongs to that."""

    __slots__ = ("_metadata", "code", "message", "reason")

    def __init__(
        self, code: grpc.StatusCode, message: str, reason: str = "", metadata: dict[str, str] | None = None
    ) -> None:
        self.code = code
        self.message = message
        self.reason = reason
        self._metadata = metadata or {}

    @classmethod
    def of(cls, error: RpcError) -> Status:
        """The status of a call that gRPC ended."""
        info = _error_info(error.trailing_metadata())
        reason, metadata = (info.reason, dict(info.metadata)) if info is not None else ("", {})
        return cls(error.code(), error.details() or "", reason, metadata)

    @classmethod
    def ended(cls) -> Status:
        """That of a stream which the daemon ended without one."""
        return cls(grpc.StatusCode.UNAVAILABLE, "the daemon closed the stream")

    def is_passing(self) -> bool:
        """Whether the same request may get another answer: no daemon answered, or one that starts, stops, or whose disk
        failed. What is unknown or cancelled, and has no reason, is what is left of an answer that was cut."""
        if self.reason:
            return self.code is grpc.StatusCode.UNAVAILABLE or self.reason == "STORAGE_FAILED"
        return self.code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.UNKNOWN,
            grpc.StatusCode.CANCELLED,
        )

    def refused_sequence(self) -> int | None:
        """The sequence of the refused change of an advance stream, if there is one."""
        return _number(self._metadata.get("sequence"))

    def error(self) -> errors.Error:
        """What to raise for it, once it is not tried again."""
        current = _number(self._metadata.get("revision"))
        if self.reason in _INVALID:
            return errors.InvalidArgument(self.reason, self.message)
        if self.reason == "HELD_BY_ANOTHER":
            pid = _number(self._metadata.get("pid"))
            since = _time(self._metadata.get("since", ""))
            return errors.HeldByAnother(self._metadata.get("label", ""), pid or None, since)
        if self.reason == "FENCED":
            return errors.Fenced()
        if self.reason == "REVISION_MISMATCH" and current is not None:
            return errors.RevisionMismatch(current)
        if self.reason == "FILE_IN_USE":
            pids = (_number(pid.strip()) for pid in self._metadata.get("pids", "").split(","))
            return errors.FileInUse(tuple(pid for pid in pids if pid is not None), self.message)
        if kind := _IN_WORDS_OF_THE_DAEMON.get(self.reason):
            return kind(self.message)
        return errors.Error(f"{self.message} ({self.code.name})")


def _error_info(metadata: Any) -> ErrorInfo | None:
    """The daemon's own part of a status."""
    for key, value in metadata or ():
        if key != _DETAILS:
            continue
        info = ErrorInfo()
        try:
            for detail in RpcStatus.FromString(value).details:
                if detail.Unpack(info) and info.domain == _DOMAIN:
                    return info
        except DecodeError:
            return None
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def _time(text: str) -> datetime | None:
    timestamp = Timestamp()
    try:
        timestamp.FromJsonString(text)
        return timestamp.ToDatetime(timezone.utc)
    except (ParseError, ValueError, OverflowError):
        return None
