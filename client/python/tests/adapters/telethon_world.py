"""A daemon, Telegram and clients of Telethon, for the tests of its adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon import PATIENCE, Daemon
from telethon import TelegramClient
from telethon.tl import types
from telethon_server import NOW, Telegram

from sessiond import ChannelState, DataCenter, Session, UpdateState, User, aio
from sessiond.adapters.telethon import SessiondSession

KEY = bytes(range(256))
OTHER = bytes(reversed(range(256)))
ME = types.User(
    id=868231286072, is_self=True, access_hash=7, bot=True, bot_info_version=1, first_name="Alice", username="Alice_bot"
)  # fmt: skip
ANNA = types.User(
    id=5, access_hash=17, first_name="Anna", last_name="B", username="AnnaB", phone="34600123456"
)
NEWS = types.Channel(
    id=77, title="News", photo=types.ChatPhotoEmpty(), date=NOW, access_hash=99, broadcast=True,
    usernames=[types.Username("news", active=True), types.Username("olds")],
)  # fmt: skip
GROUP = types.Chat(id=8, title="Us", photo=types.ChatPhotoEmpty(), participants_count=2, date=NOW, version=1)
LOGGED_IN = Session(
    dcs=[
        DataCenter(id=2, ipv4_addr="149.154.167.41:443", auth=KEY),
        DataCenter(id=4, ipv4_addr="149.154.167.91:443", auth=OTHER),
    ],
    user=User(id=ME.id, dc=2, bot=True, username="Alice_bot"),
    state=UpdateState(pts=10, qts=2, date=1700000000, seq=1, channels=[ChannelState(77, 500)]),
    home_dc=2,
)


class World:
    """A daemon, Telegram, and clients."""

    def __init__(self, daemon: Daemon, telegram: Telegram, client: aio.Client) -> None:
        self.daemon = daemon
        self.telegram = telegram
        self.client = client

    def telethon(self, session: SessiondSession, **options: Any) -> TelegramClient:
        TelegramClient._config = None
        return session.bind(
            TelegramClient(session, 1, "hash", connection=self.telegram.connection, retry_delay=0, **options)
        )

    def session(self, **options: Any) -> SessiondSession:
        return SessiondSession("alice", socket=self.daemon.socket, **options)

    async def save(self, session: Session) -> None:
        for dc in session.dcs:
            self.telegram.know(dc.auth or b"")
        async with self.client.hold("alice") as hold:
            await hold.save(session)

    async def stored(self) -> Session | None:
        """The session with its keys, once it is free."""
        async with self.client.hold("alice", wait=True, timeout=PATIENCE) as hold:
            return hold.session


Run = Callable[[Callable[[World], Awaitable[None]]], None]


@pytest.fixture
def daemon_socket(tmp_path: Path) -> str:
    return str(tmp_path / "s.sock")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    with Daemon(tmp_path) as daemon:

        def run(test: Callable[[World], Awaitable[None]]) -> None:
            async def in_a_world() -> None:
                async with aio.connect(daemon.socket, label="test") as client:
                    world = World(daemon, Telegram(monkeypatch, ME), client)
                    await asyncio.wait_for(test(world), 8)

            asyncio.run(in_a_world())

        yield run


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)
