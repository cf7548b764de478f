"""Telethon v1, as it is published, on sessiond: what is stored, and what is found again."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest
from daemon import PATIENCE
from telethon import events
from telethon.tl import types
from telethon_server import NOW
from telethon_world import (
    ANNA,
    GROUP,
    KEY,
    LOGGED_IN,
    ME,
    NEWS,
    Run,
    World,
    run,  # noqa: F401  # fixtures
    until,
)

import sessiond
from sessiond import ChannelState, User

#: pytest has filters of its own, which come before the adapter's.
pytestmark = pytest.mark.filterwarnings("ignore:Using async sessions")


def test_keys_of_other_data_centers_and_counters_stay(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        await client._switch_dc(4)
        session.set_update_state(0, types.updates.State(0, 0, NOW, 0, 0))
        await client.disconnect()
        stored = await world.stored()
        assert stored is not None
        assert stored.dcs[0].auth == KEY
        assert stored.user == User(id=ME.id, dc=4, bot=True, username="Alice_bot")
        assert stored.state is not None
        assert (stored.state.pts, stored.state.qts, stored.state.channels) == (10, 2, [ChannelState(77, 500)])

    run(test)


def test_peers_are_found_at_once_and_by_the_next_program(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        anna, news, group = types.InputPeerUser(5, 17), types.InputPeerChannel(77, 99), types.InputPeerChat(8)
        known = [
            (5, anna), ("annab", anna), ("@AnnaB", anna), ("+34 600 123 456", anna), ("Anna B", anna),
            (types.PeerUser(5), anna), (types.InputPeerUser(5, 17), anna), ("https://t.me/annab", anna),
            (77, news), (-1000000000077, news), ("news", news), ("News", news), (-8, group), ("Us", group),
            (0, types.InputPeerUser(0, ME.id)),
        ]  # fmt: skip
        for met in (True, False):
            session = world.session()
            client = world.telethon(session)
            await client.connect()
            if met:
                session.process_entities(types.contacts.ResolvedPeer(None, [NEWS, GROUP], [ANNA, ME]))
            for key, peer in known:
                assert await session.get_input_entity(key) == peer, key
            for unknown in (
                6,
                "nobody",
                "+1 555",
                "Nobody here",
                "x " * 1000,
                1 << 70,
                types.PeerChannel(6),
                "t.me/+AAAAAE_tnoBCZ3Ay",
            ):
                with pytest.raises(ValueError, match="no peer is known"):
                    await session.get_input_entity(unknown)
            await client.disconnect()
        async with world.client.hold("alice", wait=True) as hold:
            [stored] = await hold.peers([sessiond.PeerKey(username="olds")])
            assert stored is None
            [stored] = await hold.peers([sessiond.PeerKey(username="NEWS")])
            assert stored is not None
            assert (stored.kind, stored.name) == (sessiond.PeerKind.CHANNEL, "News")

    run(test)


def test_updates_move_the_counters_of_account_and_channels(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        client = world.telethon(world.session())
        seen = asyncio.Event()

        async def typing(_event: Any) -> None:
            seen.set()

        client.add_event_handler(typing, events.Raw(types.UpdateUserTyping))
        await client.connect()
        world.telegram.tell(
            types.UpdateShort(types.UpdateUserTyping(5, types.SendMessageTypingAction()), date=NOW)
        )
        await asyncio.wait_for(seen.wait(), PATIENCE)
        messages = types.UpdateDeleteMessages([1], pts=11, pts_count=1)
        world.telegram.tell(types.Updates([messages], [], [], NOW, 0))
        await until(lambda: client._message_box.session_state()[0]["pts"] == 11)
        await client._save_states_and_entities()
        await client.session.save()
        loaded = (await world.client.load("alice")).session
        assert loaded is not None
        assert loaded.state is not None
        assert loaded.state.pts == 11
        await client.disconnect()

    run(test)


def test_another_account_takes_nothing_over(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        session.process_entities([ANNA])
        await session.save()
        session.process_entities([types.User(id=9, is_self=True, access_hash=1, bot=False)])
        await session.save()
        with pytest.raises(ValueError, match="no peer"):
            await session.get_input_entity("annab")
        loaded = (await world.client.load("alice")).session
        assert loaded is not None
        assert (loaded.user, loaded.state) == (User(id=9, dc=2, bot=False), None)
        await client.disconnect()

    run(test)


def test_sent_files_and_the_takeout_are_kept(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        session.cache_file(b"m" * 16, 5, types.InputPhoto(1, -2, b""))
        session.takeout_id = 1 << 40
        with pytest.raises(TypeError):
            session.cache_file(b"m" * 16, 5, ANNA)
        await client.disconnect()
        assert session.takeout_id is None
        assert session.get_file(b"m" * 16, 5, types.InputDocument) is None
        await client.connect()
        assert session.takeout_id == 1 << 40
        assert session.get_file(b"m" * 16, 5, types.InputPhoto) == types.InputPhoto(1, -2, b"")
        assert session.get_file(b"m" * 16, 5, types.InputDocument) is None
        session.takeout_id = None
        await client.disconnect()
        async with world.client.hold("alice", wait=True) as hold:
            kept = [attribute async for attribute in hold.list_attributes()]
        assert [(len(attribute.key), attribute.value) for attribute in kept] == [
            (50, struct.pack("<qq", 1, -2))
        ]

    run(test)


def test_a_bare_id_is_a_channels_before_it_is_a_users(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        async with world.client.hold("alice") as hold:
            both = [sessiond.Peer(id=id, access_hash=99) for id in (77, -1_000_000_000_077)]
            await hold.put_peers(both)
        client = world.telethon(world.session(), catch_up=True)
        await client.connect()
        assert await client.session.get_input_entity(77) == types.InputPeerChannel(77, 99)
        assert await client.session.get_input_entity(types.PeerUser(77)) == types.InputPeerUser(77, 99)
        await client.disconnect()

    run(test)


def test_what_comes_at_once_is_written_at_once(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        await session.save()
        before = (await world.client.info()).figures.commits
        for n in range(1, 501):
            session.set_update_state(n, types.updates.State(n, 0, NOW, 0, 0))
            session.process_entities([types.User(id=n + 1000, access_hash=n, first_name="A")])
        await session.save()
        # One for the counters, and one for each 200 users.
        assert (await world.client.info()).figures.commits - before <= 4
        # What is known already is not written again.
        session.process_entities([types.User(id=1001, access_hash=1, first_name="A")])
        await session.save()
        assert (await world.client.info()).figures.commits - before <= 4
        loaded = (await world.client.load("alice")).session
        assert loaded is not None
        assert loaded.state is not None
        assert len(loaded.state.channels) == 500
        await client.disconnect()

    run(test)


def test_no_text_has_a_key_in_it(run: Run) -> None:
    async def test(world: World) -> None:
        await world.save(LOGGED_IN)
        session = world.session()
        client = world.telethon(session)
        await client.connect()
        for value in (session, session.auth_key, session._home, session._tenure):
            assert "\\x00\\x01" not in repr(value)
        await client.disconnect()

    run(test)
