"""Kurigram, as it is published, on sessiond."""

from __future__ import annotations

from collections.abc import Callable

import pyrogram
from pyrogram.storage import UpdateState
from pyrogram_pain import Pain
from pyrogram_suite import LOGGED_IN, NEWS, Fork, Rule, Suite, World

from sessiond import ChannelState
from sessiond.adapters.kurigram import SessiondStorage

FORK = Fork(pyrogram, SessiondStorage, "storage_engine")


class TestKurigram(Suite):
    fork = FORK

    def test_states_are_durable_as_they_are_reported(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            app = world.app(world.storage())
            await app.start()
            assert [state.id for state in await app.storage.get_update_states()] == [0, NEWS]
            assert await app.storage.get_update_states(NEWS) == [
                UpdateState(NEWS, 500, None, 1700000000, None)
            ]
            types = world.fork.types
            seen = types.UpdateDeleteMessages(messages=[1], pts=11, pts_count=1)
            read = types.UpdateDeleteChannelMessages(channel_id=77, messages=[1], pts=501, pts_count=1)
            updates = types.Updates(updates=[seen, read], users=[], chats=[], date=1700000001, seq=2)
            await app.handle_updates(updates)
            await app.storage.set_update_state(UpdateState(0, None, 0, None, None))
            await app.storage.save()
            loaded = (await world.client.load("alice")).session
            assert loaded is not None
            assert loaded.state is not None
            state = loaded.state
            assert (state.pts, state.qts, state.date, state.seq) == (11, 2, 1700000001, 2)
            assert state.channels == [ChannelState(77, 501)]
            await app.storage.delete_update_state(NEWS)
            await app.stop()
            stored = await world.stored()
            assert stored is not None
            assert stored.state is not None
            assert (stored.state.pts, stored.state.channels) == (11, [])

        run(rule)

    def test_an_address_is_always_known(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            for dc in LOGGED_IN.dcs:
                dc.ipv4_addr = None
            await world.save(LOGGED_IN)
            storage = world.storage()
            await storage.open()
            assert (await storage.server_address(), await storage.port()) == ("149.154.167.51", 443)
            await storage.dc_id(5)
            assert await storage.server_address() == "91.108.56.130"
            await storage.close()

        run(rule)


class TestKurigramPain(Pain):
    name = "kurigram"
    locks = True
    left = (10, 0)
