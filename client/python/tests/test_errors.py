"""What the daemon refuses, and what it says when it is in trouble: with a server that does as it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from scripted import Refusal, scripted

import sessiond
from sessiond import StateChange, aio

TOKEN = sessiond.Token(bytes(range(32)))
INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED

REFUSALS = [
    (Refusal(INVALID, "INVALID_NAME"), sessiond.InvalidArgument, {"reason": "INVALID_NAME"}),
    (Refusal(INVALID, "INVALID_SESSION"), sessiond.InvalidArgument, {"reason": "INVALID_SESSION"}),
    (Refusal(INVALID, "INVALID_PAGE_TOKEN"), sessiond.InvalidArgument, {"reason": "INVALID_PAGE_TOKEN"}),
    (Refusal(INVALID, "TOKEN_REQUIRED"), sessiond.InvalidArgument, {"reason": "TOKEN_REQUIRED"}),
    (Refusal(INVALID, "REQUEST_ID_REUSED"), sessiond.InvalidArgument, {"reason": "REQUEST_ID_REUSED"}),
    (Refusal(FAILED, "FENCED"), sessiond.Fenced, {}),
    (
        Refusal(FAILED, "HELD_BY_ANOTHER", label="bot", pid="42", since="2026-01-02T03:04:05Z"),
        sessiond.HeldByAnother,
        {"label": "bot", "pid": 42},
    ),
    (Refusal(FAILED, "HELD_BY_ANOTHER"), sessiond.HeldByAnother, {"label": "", "pid": None, "since": None}),
    (
        Refusal(grpc.StatusCode.ABORTED, "REVISION_MISMATCH", revision=str(2**63 - 1)),
        sessiond.RevisionMismatch,
        {"current": 2**63 - 1},
    ),
    (Refusal(FAILED, "FILE_IN_USE", pids="7, 8"), sessiond.FileInUse, {"pids": (7, 8)}),
    (Refusal(FAILED, "FILE_IN_USE"), sessiond.FileInUse, {"pids": ()}),
    (Refusal(FAILED, "FOREIGN_FILE"), sessiond.ForeignFile, {}),
    (Refusal(grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED"), sessiond.NotPermitted, {}),
    (Refusal(grpc.StatusCode.DATA_LOSS, "SESSION_DAMAGED"), sessiond.Damaged, {}),
    (Refusal(EXHAUSTED, "LIMIT_EXCEEDED"), sessiond.LimitExceeded, {}),
    (Refusal(EXHAUSTED, "STORAGE_FULL"), sessiond.StorageFull, {}),
    (Refusal(FAILED, "A_REASON_TO_COME"), sessiond.Error, {}),
    (Refusal(grpc.StatusCode.UNIMPLEMENTED), sessiond.Error, {}),
]


@pytest.mark.parametrize(
    ("refusal", "kind", "fields"), REFUSALS, ids=lambda value: getattr(value, "reason", None)
)
def test_every_refusal_is_told_by_its_reason(
    tmp_path: Path, refusal: Refusal, kind: type[sessiond.Error], fields: dict[str, object]
) -> None:
    async def refused_here_too(socket: str) -> sessiond.Error:
        async with aio.connect(socket) as client:
            with pytest.raises(sessiond.Error) as refused:
                await client.held("alice", TOKEN).advance(StateChange(pts=1))
            return refused.value

    with scripted(tmp_path, refusal, refusal) as (socket, _):
        with sessiond.connect(socket) as client, pytest.raises(sessiond.Error) as refused:
            client.held("alice", TOKEN).advance(StateChange(pts=1))
        for error in (refused.value, asyncio.run(refused_here_too(socket))):
            assert type(error) is kind
            assert {name: getattr(error, name) for name in fields} == fields


def test_a_write_is_tried_again_under_one_request_id(tmp_path: Path) -> None:
    trouble = (
        Refusal(grpc.StatusCode.UNAVAILABLE, "STARTING"),
        Refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
        Refusal(grpc.StatusCode.INTERNAL, "STORAGE_FAILED"),
        Refusal(grpc.StatusCode.UNAVAILABLE),
        7,
    )
    with scripted(tmp_path, *trouble, *trouble) as (socket, sessions):
        with sessiond.connect(socket) as client:
            held = client.held("alice", TOKEN)
            assert held.advance(StateChange(pts=1)) == 7
            assert held.advance(StateChange(pts=1)) == 7
        ids = [request.request_id for request in sessions.requests]
        assert len(ids) == 10
        assert (len(set(ids[:5])), len(set(ids[5:])), len(set(ids))) == (1, 1, 2)


def test_a_disk_that_fails_until_the_deadline_is_told_as_that(tmp_path: Path) -> None:
    failed = Refusal(grpc.StatusCode.INTERNAL, "STORAGE_FAILED")
    with scripted(tmp_path, *[failed] * 20) as (socket, _), sessiond.connect(socket) as client:
        held = client.held("alice", TOKEN)
        with pytest.raises(sessiond.StorageFailed):
            held.advance(StateChange(pts=1), deadline=0.3)
