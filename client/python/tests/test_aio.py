"""Programs with asyncio, and a daemon."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from daemon import PATIENCE, Daemon

import sessiond
from sessiond import LostReason, Session, StateChange, UpdateState, User, aio, errors
from sessiond._standing import Standing
from sessiond.aio._interruption import Interruption
from sessiond.aio._loss import lost_by


def run(test: Callable[[aio.Client], Awaitable[None]], daemon: Daemon) -> None:
    """Runs a test in an event loop, with a client."""

    async def with_client() -> None:
        async with aio.connect(daemon.socket, label="test") as client:
            await asyncio.wait_for(test(client), 3 * PATIENCE)

    asyncio.run(with_client(), debug=False)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_a_session_is_held_written_and_read(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        async with client.hold("alice") as hold:
            assert (hold.session, hold.revision, hold.resume_within) == (None, 0, 10)
            revision = await hold.save(Session(user=User(id=5, dc=2)), expected_revision=0)
            assert await hold.advance(StateChange(pts=1)) > revision
            await hold.merge(Session(home_dc=2))
            expected = Session(user=User(id=5, dc=2), state=UpdateState(pts=1), home_dc=2)
            assert (await hold.load()).session == expected
            assert (await client.load("alice")).session == expected
            with pytest.raises(sessiond.RevisionMismatch):
                await hold.delete(expected_revision=1)
        hold = await client.hold("alice")
        assert hold.session == expected
        await hold.release()
        await hold.release()
        assert [summary.name async for summary in client.list()] == ["alice"]
        assert (await client.info()).engine == "sqlite"

    run(test, daemon)


def test_who_comes_second_waits_in_line(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        first = await client.hold("alice", label="first")
        with pytest.raises(sessiond.HeldByAnother, match="first"):
            await client.hold("alice")
        with pytest.raises(sessiond.HeldByAnother, match="first"):
            await client.hold("alice", wait=True, timeout=0.2)
        told: list[sessiond.Waiting] = []
        leaves = asyncio.ensure_future(client.hold("alice", wait=True, on_waiting=told.append).__aenter__())
        await until(lambda: told)
        leaves.cancel()
        told.clear()
        second = asyncio.ensure_future(client.hold("alice", wait=True, on_waiting=told.append).__aenter__())
        # Those who have left are out of the line as soon as the daemon hears of it.
        await until(lambda: told and told[-1].position == 1)
        await first.release()
        await (await second).release()

    run(test, daemon)


def test_a_lost_hold_cancels_its_block_which_raises_the_loss(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        told: list[sessiond.LostReason] = []
        asynchronous = asyncio.Event()

        async def on_lost(reason: sessiond.LostReason) -> None:
            told.append(reason)
            asynchronous.set()

        with pytest.raises(sessiond.Lost) as loss:
            async with client.hold("alice", on_lost=on_lost) as hold:
                await client.end_hold("alice")
                await asyncio.Event().wait()
        assert loss.value.reason is hold.lost is sessiond.LostReason.ENDED_BY_ADMIN
        await asynchronous.wait()
        assert told == [sessiond.LostReason.ENDED_BY_ADMIN]
        for call in (hold.load, hold.delete, lambda: hold.advance(StateChange(pts=1))):
            with pytest.raises(sessiond.Lost):
                await call()
        # The task is as it was before.
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert sys.version_info < (3, 11) or task.cancelling() == 0
        async with client.hold("alice", wait=True):
            pass

    run(test, daemon)


def test_blocks_within_each_other_are_each_told_of_their_own_loss(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        inner_lost = asyncio.Event()

        async def block(*names: str) -> None:
            async with client.hold("outer"):
                try:
                    async with client.hold("inner"):
                        await asyncio.gather(*(client.end_hold(name) for name in names))
                        await asyncio.Event().wait()
                except sessiond.Lost:
                    inner_lost.set()
                    raise

        for names, inner in [(("outer",), False), (("inner",), True), (("outer", "inner"), None)]:
            inner_lost.clear()
            with pytest.raises(sessiond.Lost):
                await block(*names)
            assert inner in (None, inner_lost.is_set())
            task = asyncio.current_task()
            assert task is not None
            assert sys.version_info < (3, 11) or task.cancelling() == 0

    run(test, daemon)


def test_a_block_that_finds_out_by_itself_is_told_by_the_error(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        hold = await client.hold("alice")
        await client.end_hold("alice")
        await until(lambda: hold.lost)
        with pytest.raises(sessiond.Lost):
            async with hold:
                await hold.load()
        await asyncio.sleep(0)

    run(test, daemon)


def test_a_cancellation_from_elsewhere_stays_one(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        held = asyncio.Event()

        async def block() -> None:
            async with client.hold("alice"):
                held.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(block())
        await held.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with client.hold("alice"):
            pass

    run(test, daemon)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a task does not count its cancellations yet")
def test_a_cancellation_from_elsewhere_stays_one_also_when_the_hold_is_lost(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        held = asyncio.Event()

        async def block() -> None:
            async with client.hold("alice"):
                held.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    task.cancel()
                    raise

        task = asyncio.ensure_future(block())
        await held.wait()
        await client.end_hold("alice")
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test, daemon)


def test_what_a_block_raises_goes_on_and_has_the_loss_as_its_cause(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        with pytest.raises(KeyError) as raised:
            async with client.hold("alice"):
                try:
                    await client.end_hold("alice")
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    raise KeyError("the block's own") from None
        assert isinstance(raised.value.__cause__, sessiond.Lost)
        task = asyncio.current_task()
        assert task is not None
        assert sys.version_info < (3, 11) or task.cancelling() == 0

    run(test, daemon)


def test_a_lost_hold_that_is_forgotten_lets_the_next_in(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        holds = [await client.hold("alice")]
        await client.end_hold("alice")
        await until(lambda: holds[0].lost)
        with pytest.raises(sessiond.Error):
            await client.hold("alice", wait=True, timeout=0.3)
        holds.clear()
        gc.collect()
        await (await client.hold("alice", wait=True, timeout=PATIENCE / 4)).release()

    run(test, daemon)


def test_everything_goes_on_when_the_daemon_is_killed(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        async with client.hold("alice") as hold, client.watch(["alice"]) as watch:
            while not isinstance(await anext(watch), sessiond.Synced):
                pass
            for _ in range(3):
                writes = [asyncio.ensure_future(hold.advance(StateChange(pts=pts))) for pts in range(1, 50)]
                await asyncio.sleep(0)
                daemon.restart()
                assert 0 not in await asyncio.gather(*writes)
            end = await hold.advance(StateChange(pts=1000))
            previous = None
            async for event in watch:
                if not isinstance(event, sessiond.Advanced):
                    assert isinstance(event, sessiond.Bookmark), event
                    continue
                assert previous in (None, event.previous_revision), "an event is missing or came twice"
                previous = event.revision
                if event.revision == end:
                    break

    run(test, daemon)


def test_a_reader_of_a_watch_that_is_cancelled_loses_nothing(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        async with client.hold("alice") as hold, client.watch(["alice"], bookmark_interval=60) as watch:
            for _ in range(3):
                await anext(watch)
            for pts in range(1, 20):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(watch.__anext__(), 0.01)
                await hold.advance(StateChange(pts=pts))
                event = await asyncio.wait_for(watch.__anext__(), PATIENCE)
                assert isinstance(event, sessiond.Advanced)
                assert event.change == StateChange(pts=pts)
            waiting = asyncio.ensure_future(watch.__anext__())
            await asyncio.sleep(0)
            watch.close()
            with pytest.raises(StopAsyncIteration):
                await waiting

    run(test, daemon)


def test_watches_that_are_left_unread_hold_nothing_up(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        channels = [sessiond.ChannelState(id, 1) for id in range(1, 200)]
        async with client.hold("alice") as hold:
            unread = [client.watch() for _ in range(4)]
            for watch in unread:
                assert isinstance(await anext(watch), sessiond.Restarted)
            async with hold.advance_stream() as stream:
                for pts in range(1, 3000):
                    await stream.push(StateChange(pts=pts, channels=channels))
            assert await hold.advance(StateChange(pts=3000), deadline=PATIENCE) > 0
            async with client.watch(["alice"]) as fifth:
                assert isinstance([await anext(fifth) for _ in range(3)][-1], sessiond.Synced)

    run(test, daemon)


def test_a_stream_of_changes_goes_on_and_ends_at_the_first_that_is_refused(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        async with client.hold("alice") as hold:
            async with hold.advance_stream() as stream:
                for pts in range(1, 1001):
                    assert await stream.push(StateChange(pts=pts)) == pts
                assert (await stream.durable(10)).sequence >= 10
                daemon.restart()
                for pts in range(1001, 2001):
                    await stream.push(StateChange(pts=pts))
                revision = await stream.finish()
            loaded = await client.load("alice")
            assert (loaded.session, loaded.revision) == (Session(state=UpdateState(pts=2000)), revision)
            stream = hold.advance_stream()
            await stream.push(StateChange(pts=1))
            await stream.push(StateChange())
            with pytest.raises(sessiond.ChangeRefused) as refused:
                await stream.finish()
            assert refused.value.sequence == 2

    run(test, daemon)


def test_peers_and_attributes_are_kept(daemon: Daemon) -> None:
    async def test(client: aio.Client) -> None:
        async with client.hold("alice") as hold:
            peers = [sessiond.Peer(id=id, seen=1) for id in range(1, 2502)]
            assert (await hold.put_peers(peers)).changed == len(peers)
            assert [peer async for peer in hold.list_peers(after_id=2500)] == peers[2500:]
            assert await hold.peers([sessiond.PeerKey(id=7), sessiond.PeerKey(id=-7)]) == [peers[6], None]
            assert (await hold.delete_peers([1, 2])).changed == 2
            assert (await hold.delete_all_peers()).changed == len(peers) - 2
            attributes = [sessiond.Attribute(f"lib.{n:04}", b"\1") for n in range(1001)]
            await hold.put_attributes(attributes[:1000])
            await hold.put_attributes(attributes[1000:], delete=["lib.0000"])
            assert [attribute async for attribute in hold.list_attributes()] == attributes[1:]
            assert await hold.attributes(["lib.0000", "lib.0001"]) == [attributes[1]]
            assert (await hold.delete_attributes(["lib.0001"])).changed == 1
            assert (await hold.delete_attributes_below("lib.")).changed == 999

    run(test, daemon)


def test_a_daemon_that_is_away_is_waited_for(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)

    async def test() -> None:
        async with aio.connect(daemon.socket, deadline=0.3) as client:
            for call in (client.info, lambda: client.hold("alice"), lambda: client.watch().__anext__()):
                with pytest.raises(sessiond.Unavailable, match="No such file"):
                    await call()
        async with aio.connect(daemon.socket) as client:
            info = asyncio.ensure_future(client.info())
            watch = client.watch()
            event = asyncio.ensure_future(watch.__anext__())
            await asyncio.sleep(0.05)
            with daemon:
                assert (await info).engine == "sqlite"
                assert isinstance(await event, sessiond.Restarted)

    asyncio.run(test())


def test_a_call_that_waits_for_the_reason_of_a_loss_is_told_it_before_its_block_is_interrupted() -> None:
    async def test() -> None:
        interruption = Interruption()
        standing = Standing(interruption.begin)
        interruption.enter(None)
        asyncio.get_running_loop().call_soon(standing.lose, LostReason.ENDED_BY_ADMIN)
        error = await lost_by(standing, errors.Fenced())
        assert isinstance(error, sessiond.Lost)
        assert error.reason is LostReason.ENDED_BY_ADMIN
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE)
        assert interruption.leave(asyncio.CancelledError())

    asyncio.run(test())
