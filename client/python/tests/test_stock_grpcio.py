"""What the schema's generated stubs alone can do, over grpcio as it comes: it sends the socket's path for `:authority`, and this
package's own channel options are not there to mend that."""

from __future__ import annotations

import asyncio

import grpc
from daemon import PATIENCE, Daemon

from sessiond import _v1 as v1

HOLD = v1.HoldRequest(name="alice", label="stock")
LOAD = v1.LoadRequest(name="alice")
WATCH = v1.WatchRequest(names=["alice"])


def advance(granted: v1.Granted) -> v1.AdvanceRequest:
    return v1.AdvanceRequest(name="alice", token=granted.token, change=v1.StateChange(pts=5))


def test_stock_grpcio_on_a_path_with_default_options_is_served(daemon: Daemon) -> None:
    with grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
        sessions = v1.SessionServiceStub(channel)
        hold = sessions.Hold(HOLD, wait_for_ready=True, timeout=PATIENCE)
        granted = next(hold).granted
        revision = None
        for told in sessions.Watch(WATCH, timeout=PATIENCE):
            if told.HasField("synced"):
                revision = sessions.Advance(advance(granted), timeout=PATIENCE).revision
            if told.HasField("change"):
                assert told.revision == revision
                break
        assert sessions.Load(LOAD, timeout=PATIENCE).session.state.pts == 5
        info = v1.AdminServiceStub(channel).GetServerInfo(v1.GetServerInfoRequest(), timeout=PATIENCE)
        assert info.engine == "sqlite"


def test_stock_grpcio_with_asyncio_is_served_as_well(daemon: Daemon) -> None:
    async def test() -> None:
        async with grpc.aio.insecure_channel(f"unix:{daemon.socket}") as channel:
            sessions = v1.SessionServiceStub(channel)
            hold = sessions.Hold(HOLD, wait_for_ready=True, timeout=PATIENCE)
            granted = (await anext(aiter(hold))).granted
            revision = None
            async for told in sessions.Watch(WATCH, timeout=PATIENCE):
                if told.HasField("synced"):
                    revision = (await sessions.Advance(advance(granted), timeout=PATIENCE)).revision
                if told.HasField("change"):
                    assert told.revision == revision
                    break
            assert (await sessions.Load(LOAD, timeout=PATIENCE)).session.state.pts == 5

    asyncio.run(test())
