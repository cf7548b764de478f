"""Update states of the forks that keep them as tuples."""

from __future__ import annotations

from pyrogram_suite import LOGGED_IN, NEWS, World

from sessiond import ChannelState


async def states_are_durable_as_they_are_reported(world: World) -> None:
    await world.save(LOGGED_IN)
    app = world.app(world.storage())
    await app.start()
    assert await app.storage.update_state() == [
        (0, 10, 2, 1700000000, 1),
        (NEWS, 500, None, 1700000000, None),
    ]
    types = world.fork.types
    seen = types.UpdateDeleteMessages(messages=[1], pts=11, pts_count=1)
    read = types.UpdateDeleteChannelMessages(channel_id=77, messages=[1], pts=501, pts_count=1)
    await app.handle_updates(types.Updates(updates=[seen, read], users=[], chats=[], date=1700000001, seq=2))
    await app.storage.save()
    loaded = (await world.client.load("alice")).session
    assert loaded is not None
    assert loaded.state is not None
    # What is reported as None is kept.
    assert (loaded.state.pts, loaded.state.qts, loaded.state.date) == (11, 2, 1700000001)
    assert loaded.state.channels == [ChannelState(77, 501)]
    await app.storage.update_state(NEWS)
    await app.storage.update_state(0)
    assert await app.storage.update_state() == []
    await app.stop()
    stored = await world.stored()
    assert stored is not None
    assert stored.state is not None
    assert (stored.state.pts, stored.state.channels) == (0, [])
