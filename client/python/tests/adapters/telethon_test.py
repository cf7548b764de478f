"""Telethon v1, as it is published, on sessiond: who holds the session, and when."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest
import recipe
from daemon import PATIENCE
from telethon import TelegramClient
from telethon.tl import functions, types
from telethon_server import NOW, Refused, Telegram
from telethon_world import (  # noqa: F401  # fixtures
    ANNA,
    KEY,
    LOGGED_IN,
    ME,
    OTHER,
    Run,
    World,
    daemon_socket,
    run,
    until,
)

import sessiond
from sessiond import ChannelState, DataCenter, Session, UpdateState, User
from sessiond.adapters import LoggedOut

#: pytest has filters of its own, which come before the adapter's.
pytestmark = pytest.mark.filterwarnings("ignore:Using async sessions")


def test_a_new_login_is_stored_over_a_change_of_the_data_center(run: Run) -> None:
    async def test(world: World) -> None:
        def refuse(_request: Any) -> Any:
            raise Refused(401, "AUTH_KEY_UNREGISTERED")

        def migrate(_request: Any) -> Any:
            world.telegram.answers[functions.auth.ImportBotAuthorizationRequest] = types.auth.Authorization(
                ME
            )
            raise Refused(303, "USER_MIGRATE_4")

        world.telegram.answers[functions.auth.ImportBotAuthorizationRequest] = migrate
        world.telegram.answers[functions.users.GetUsersRequest] = refuse
        client = world.telethon(world.session())
        await client.connect()
        at_first = (await world.client.load("alice")).session
        assert at_first is not None
        assert (at_first.home_dc, at_first.user, at_first.dcs[0].withheld) == (2, None, True)
        await client.sign_in(bot_token="1:a")
        assert world.telegram.dialled == [("149.154.167.51", 443, 2), ("149.154.160.4", 443, 4)]
        await client.disconnect()
        stored = await world.stored()
        assert stored is not None
        assert stored.user == User(id=ME.id, dc=4, bot=True, username="Alice_bot")
        assert (stored.home_dc, [dc.id for dc in stored.dcs]) == (4, [2, 4])
        assert stored.dcs[1].ipv4_addr == "149.154.160.4:443"
        keys = {key.key for key in world.telegram.keys.values()}
        assert {dc.auth for dc in stored.dcs} == keys
        assert stored.state == UpdateState(pts=10, qts=2, date=int(NOW.timestamp()), seq=1)

    run(test)


def test_a_restarted_program_goes_on_with_key_address_and_states(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        for _ in range(2):
            client = world.telethon(world.session(), catch_up=True)
            await client.connect()
            assert world.telegram.dialled[-1] == ("149.154.167.41", 443, 2)
            assert world.telegram.keys[world.telegram.key_ids[-1]].key == KEY
            assert client._message_box.session_state()[1] == {77: 500}
            await client.disconnect()
        stored = await world.stored()
        assert stored is not None
        assert stored.dcs == LOGGED_IN.dcs
        assert stored.user == LOGGED_IN.user
        assert stored.state is not None
        assert stored.state.channels == [ChannelState(77, 500)]

    run(test)


def test_one_client_connects_again_and_again(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        client = world.telethon(world.session())
        for key in (KEY, OTHER):
            await world.save(Session(dcs=[DataCenter(id=2, auth=key)], user=LOGGED_IN.user))
            await client.connect()
            # What the session has now, not what the client knew before.
            assert world.telegram.keys[world.telegram.key_ids[-1]].key == key
            await client.disconnect()
            assert not client.session.server_address

    run(test)


def test_who_comes_second_is_refused_and_told_by_whom(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        first = world.telethon(world.session(label="worker 1"))
        await first.connect()
        second = world.telethon(world.session(wait=False))
        with pytest.raises(sessiond.HeldByAnother, match="worker 1"):
            await second.connect()
        assert len(world.telegram.dialled) == 1
        await first.disconnect()
        await second.connect()
        await second.disconnect()

    run(test)


def test_who_waits_holds_up_nothing(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        first = world.telethon(world.session())
        second = world.telethon(world.session())
        await first.connect()
        waiting = asyncio.create_task(second.connect())
        ticks = 0
        until_then = time.monotonic() + 0.2
        while time.monotonic() < until_then:
            await asyncio.sleep(0.001)
            ticks += 1
        assert ticks > 20
        assert not waiting.done()
        assert len(world.telegram.dialled) == 1
        await first.disconnect()
        await waiting
        # The keys are never in use twice at the same time.
        assert len(world.telegram.open) == 1
        await second.disconnect()

    run(test)


def test_a_waiter_may_give_up(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        first = world.telethon(world.session())
        await first.connect()
        second = world.telethon(world.session())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(second.connect(), 0.1)
        await first.disconnect()
        assert await world.stored() is not None

    run(test)


def test_a_lost_hold_disconnects_at_once(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        told: list[sessiond.LostReason] = []
        session = world.session(on_lost=told.append)
        client = world.telethon(session)
        await client.connect()
        await world.client.end_hold("alice")
        await until(lambda: not world.telegram.open)
        # Which of the two tells first, the stream or a write, is chance, and so is the reason.
        assert len(told) == 1
        # The next in line has it as soon as the connection is closed, and this program may wait for it again.
        assert await world.stored() is not None
        await client.connect()
        await client.disconnect()

    run(test)


def test_a_lost_hold_is_told_by_the_next_call(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = TelegramClient(session, 1, "hash", connection=world.telegram.connection)
        await client.connect()
        await world.client.end_hold("alice")
        await until(lambda: session._tenure is None or session._tenure.hold.lost)
        with pytest.raises(sessiond.Lost):
            await client.get_me()
        with pytest.raises(sessiond.Lost):
            await session.get_input_entity("anna")
        await session.save()
        await client.disconnect()
        assert await world.stored() is not None

    run(test)


def test_the_daemon_may_restart_in_mid_use(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        world.daemon.kill()
        # Nothing of this waits for the daemon, or fails.
        began = time.monotonic()
        session.process_entities([ANNA])
        session.set_update_state(0, types.updates.State(12, 2, NOW, 1, 0))
        session.set_update_state(77, types.updates.State(501, 0, NOW, 0, 0))
        assert await session.get_input_entity(5) == types.InputPeerUser(5, 17)
        assert time.monotonic() - began < 1
        world.daemon.start()
        await session.save()
        loaded = (await world.client.load("alice")).session
        assert loaded is not None
        assert loaded.state is not None
        assert (loaded.state.pts, loaded.state.channels) == (12, [ChannelState(77, 501)])
        await client.get_me()
        await client.disconnect()
        async with world.client.hold("alice", wait=True) as hold:
            assert (await hold.peers([sessiond.PeerKey(phone="34600123456")]))[0] is not None

    run(test)


def test_a_program_ends_though_the_daemon_is_away(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sessiond.adapters._tenure._LAST_WRITE", 0.2)

    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        client = world.telethon(world.session())
        await client.connect()
        world.daemon.kill()
        client.session.process_entities([ANNA])
        await asyncio.wait_for(client.disconnect(), 2)
        assert "what was written last is not stored" in caplog.text

    run(test)


def test_to_log_out_deletes_the_session_before_the_next_has_it(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        client = world.telethon(world.session())
        await client.connect()
        second = world.telethon(world.session())
        waiting = asyncio.create_task(second.connect())
        await until_waited_for(world)
        assert await client.log_out()
        with pytest.raises(LoggedOut, match="alice"):
            await waiting
        assert await world.stored() is None

    run(test)


async def until_waited_for(world: World) -> None:
    while True:
        if any(summary.waiting for summary in [summary async for summary in world.client.list()]):
            return
        await asyncio.sleep(0.01)


def test_a_session_that_was_let_go_can_be_deleted_unless_another_has_it(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        await client.disconnect()
        assert await world.stored() is not None
        assert not await session.delete()
        await client.connect()
        await client.disconnect()
        assert await session.delete()
        assert await world.stored() is None

    run(test)


def test_a_session_has_to_be_logged_in_where_that_is_required(run: Run) -> None:
    async def test(world: World) -> None:
        client = world.telethon(world.session(require_login=True))
        with pytest.raises(LoggedOut):
            await client.connect()
        assert world.telegram.dialled == []

    run(test)


def test_a_client_for_ipv6_gets_an_address_of_its_kind(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        client = world.telethon(world.session(), use_ipv6=True)
        await client.connect()
        assert world.telegram.dialled == [("2001:67c:4e8:f002::a", 443, 2)]
        await client.disconnect()
        stored = await world.stored()
        assert stored is not None
        assert stored.dcs == LOGGED_IN.dcs

    run(test)


def test_telethons_warning_of_async_sessions_is_not_shown() -> None:
    program = (
        "import asyncio\n"
        "from sessiond.adapters.telethon import SessiondSession\n"
        "from telethon.utils import maybe_async\n"
        "asyncio.run(maybe_async(SessiondSession('alice').save()))\n"
    )
    warned = "error:Using async sessions support is an experimental feature"
    subprocess.run((sys.executable, "-W", warned, "-c", program), check=True, timeout=PATIENCE)


def test_test_servers_stay_test_servers(run: Run) -> None:
    async def test(world: World) -> None:
        session = world.session()
        await session.set_dc(2, "149.154.167.40", 80)
        client = world.telethon(session)
        await client.connect()
        await client.disconnect()
        stored = await world.stored()
        assert stored is not None
        assert stored.test_mode
        assert world.telegram.dialled == [("149.154.167.40", 80, 2)]

    run(test)


def test_the_recipe_runs(
    run: Run, daemon_socket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    telegram = Telegram(monkeypatch, ME)

    async def logged_in(world: World) -> None:
        await world.save(LOGGED_IN)

    run(logged_in)
    telegram.know(KEY)
    monkeypatch.setitem(TelegramClient.__init__.__kwdefaults__, "connection", telegram.connection)
    monkeypatch.setenv("SESSIOND_SOCKET", daemon_socket)
    TelegramClient._config = None
    recipe.run("Telethon v1")
    assert capsys.readouterr().out == "logged in as Alice_bot\n"
    assert telegram.dialled == [("149.154.167.41", 443, 2)]
