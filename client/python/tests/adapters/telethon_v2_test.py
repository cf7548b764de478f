"""Telethon v2's storage on sessiond, called as Telethon v2 calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import recipe
import telethon
from daemon import PATIENCE, Daemon
from telethon.session import ChannelState, DataCenter, Session, UpdateState, User

import sessiond
from sessiond import aio
from sessiond.adapters import LoggedOut
from sessiond.adapters.telethon_v2 import SessiondStorage

KEY, OTHER = bytes(range(256)), bytes(reversed(range(256)))
ALICE = User(id=868231286072, dc=2, bot=False, username="alice")
STATE = UpdateState(pts=10, qts=2, date=1700000000, seq=1, channels=[ChannelState(id=77, pts=500)])
DC2 = DataCenter(id=2, ipv4_addr="149.154.167.41:443", ipv6_addr="2001:67c:4e8:f002::a:443", auth=KEY)
DC4 = DataCenter(id=4, ipv4_addr="149.154.167.91:443", auth=OTHER)
LOGGED_IN = Session(dcs=[DC2, DC4], user=ALICE, state=STATE)


class Client:
    """As much of Telethon's client as a storage sees."""

    def __init__(self, storage: SessiondStorage, _api_id: int = 0, _api_hash: str = "") -> None:
        self.storage = storage
        self.session = Session()
        self.connected = False

    async def connect(self) -> None:
        self.session = await self.storage.load() or Session()
        self.connected = True

    async def __aenter__(self) -> Client:
        await self.connect()
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.disconnect()

    async def get_me(self) -> User:
        assert self.session.user is not None
        return self.session.user

    async def disconnect(self) -> None:
        self.connected = False
        try:
            await self.storage.save(self.session)
        except sessiond.Error:
            pass  # Telethon tells its log
        finally:
            await self.storage.close()


Test = Callable[[Daemon, aio.Client], Awaitable[None]]


def run(tmp_path: Path, test: Test) -> None:
    async def with_daemon(daemon: Daemon) -> None:
        async with aio.connect(daemon.socket, label="test") as client:
            await asyncio.wait_for(test(daemon, client), PATIENCE)

    with Daemon(tmp_path) as daemon:
        asyncio.run(with_daemon(daemon))


def storage(daemon: Daemon, **options: object) -> SessiondStorage:
    return SessiondStorage("alice", socket=daemon.socket, **options)  # type: ignore[arg-type]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    async def test(daemon: Daemon, _client: aio.Client) -> None:
        first = storage(daemon)
        assert await first.load() is None
        await first.save(LOGGED_IN)
        assert await first.load() == LOGGED_IN
        await first.close()
        await first.close()
        assert await first.load() == LOGGED_IN
        await first.close()

    run(tmp_path, test)


def test_what_the_library_forgets_is_kept(tmp_path: Path) -> None:
    async def test(daemon: Daemon, _client: aio.Client) -> None:
        client = Client(storage(daemon))
        await client.connect()
        client.session = LOGGED_IN
        await client.disconnect()
        await client.connect()
        # A second run keeps the key of one data center, and no counter of what it did not see.
        blank = UpdateState(pts=11, qts=0, date=0, seq=0, channels=[])
        client.session = Session(dcs=[DC2], user=ALICE, state=blank)
        await client.disconnect()
        await client.connect()
        kept = UpdateState(pts=11, qts=2, date=1700000000, seq=1, channels=STATE.channels)
        assert client.session == Session(dcs=[DC2, DC4], user=ALICE, state=kept)
        await client.disconnect()

    run(tmp_path, test)


def test_to_sign_out_is_to_log_out(tmp_path: Path) -> None:
    async def test(daemon: Daemon, client: aio.Client) -> None:
        first = storage(daemon)
        await first.load()
        await first.save(LOGGED_IN)
        await first.save(Session(dcs=[DC2, DC4]))
        await first.close()
        loaded = (await client.load("alice")).session
        assert loaded is not None
        assert (loaded.user, loaded.state) == (None, None)
        assert [dc.withheld for dc in loaded.dcs] == [False, True]
        again = storage(daemon, require_login=True)
        await first.delete()
        assert await first.load() is None
        await first.close()
        with pytest.raises(LoggedOut):
            await again.load()

    run(tmp_path, test)


def test_who_comes_second_waits_or_is_refused(tmp_path: Path) -> None:
    async def test(daemon: Daemon, _client: aio.Client) -> None:
        first = storage(daemon, label="worker 1")
        await first.load()
        await first.save(LOGGED_IN)
        refused = Client(storage(daemon, wait=False))
        with pytest.raises(sessiond.HeldByAnother, match="worker 1"):
            await refused.connect()
        # What it does not know it does not write: that would log the account out.
        with pytest.raises(RuntimeError, match="load"):
            await refused.disconnect()
        second = storage(daemon)
        waiting = asyncio.create_task(second.load())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await first.close()
        assert await waiting == LOGGED_IN
        await second.close()

    run(tmp_path, test)


def test_a_lost_hold_disconnects_and_may_not_save(tmp_path: Path) -> None:
    async def test(daemon: Daemon, client: aio.Client) -> None:
        told: list[sessiond.LostReason] = []
        held = storage(daemon, on_lost=told.append)
        library = held.bind(Client(held))
        await library.connect()
        await client.end_hold("alice")
        while library.connected:
            await asyncio.sleep(0.01)
        assert told == [sessiond.LostReason.ENDED_BY_ADMIN]
        async with client.hold("alice", wait=True):
            pass

    run(tmp_path, test)


def test_the_daemon_may_restart_in_mid_use(tmp_path: Path) -> None:
    async def test(daemon: Daemon, _client: aio.Client) -> None:
        first = storage(daemon)
        await first.load()
        daemon.kill()
        saving = asyncio.create_task(first.save(LOGGED_IN))
        await asyncio.sleep(0.05)
        daemon.start()
        await saving
        assert await first.load() == LOGGED_IN
        await first.close()

    run(tmp_path, test)


def test_an_address_that_nobody_wrote_is_telegrams(tmp_path: Path) -> None:
    async def test(daemon: Daemon, client: aio.Client) -> None:
        async with client.hold("alice") as hold:
            await hold.save(sessiond.Session(dcs=[sessiond.DataCenter(id=4, auth=KEY)], test_mode=False))
        first = storage(daemon)
        loaded = await first.load()
        assert loaded is not None
        assert loaded.dcs == [DataCenter(id=4, ipv4_addr="149.154.167.91:443", auth=KEY)]
        await first.close()

    run(tmp_path, test)


def test_the_recipe_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def log_in() -> None:
        client = Client(SessiondStorage("alice"))
        await client.connect()
        client.session = LOGGED_IN
        await client.disconnect()

    with Daemon(tmp_path) as daemon:
        monkeypatch.setenv("SESSIOND_SOCKET", daemon.socket)
        monkeypatch.setattr(telethon, "Client", Client, raising=False)
        asyncio.run(log_in())
        recipe.run("Telethon v2")
    assert capsys.readouterr().out == "logged in as alice\n"
