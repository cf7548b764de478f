"""Programs with threads, and a daemon."""

from __future__ import annotations

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from daemon import PATIENCE, Daemon, until

import sessiond
from sessiond import ChannelState, DataCenter, Session, StateChange, UpdateState, User

KEY = bytes(range(256))


def full_session() -> Session:
    """One that has everything, at the limits of its types."""
    return Session(
        dcs=[
            DataCenter(id=1, ipv4_addr="149.154.175.50:443", ipv6_addr="2001:db8::1:443", auth=KEY),
            DataCenter(id=2),
        ],
        user=User(id=2**63 - 1, dc=1, bot=False, username="anna"),
        state=UpdateState(
            pts=2**31 - 1, qts=1, date=2**63 - 1, seq=2, channels=[ChannelState(2**63 - 1, 2**31 - 1)]
        ),
        home_dc=1,
        test_mode=False,
    )


def test_every_field_comes_back_to_its_holder_and_without_keys_to_others(client: sessiond.Client) -> None:
    session = full_session()
    with client.hold("alice") as hold:
        assert (hold.session, hold.revision) == (None, 0)
        assert hold.resume_within == 10
        revision = hold.save(session)
        assert hold.load() == sessiond.Loaded(session, revision, client.load("alice").holder)
        shown = client.load("alice")
        assert shown.holder is not None
        assert (shown.holder.pid, shown.holder.label) == (os.getpid(), "test")
        assert shown.session is not None
        assert (shown.session.dcs[0].auth, shown.session.dcs[0].withheld) == (None, True)
        with pytest.raises(sessiond.InvalidArgument):
            hold.save(shown.session)
    with client.hold("alice") as again:
        assert (again.session, again.revision) == (session, revision)
        assert again.fence > hold.fence
    assert client.load("alice").holder is None
    assert client.load("nobody") == sessiond.Loaded(None, 0, None)


def test_what_is_absent_and_what_is_zero_are_different_things(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        hold.save(Session(user=User(id=5, dc=2), state=UpdateState()))
        loaded = hold.load().session
        assert loaded == Session(user=User(id=5, dc=2), state=UpdateState())
        hold.save(Session(user=User(id=5, dc=2, bot=False, username=""), test_mode=False))
        again = hold.load().session
        assert again is not None
        assert again.user is not None
        assert (again.user.bot, again.state, again.test_mode) == (False, None, False)


def test_a_write_is_refused_unless_the_session_is_at_the_expected_revision(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        revision = hold.advance(StateChange(pts=1), expected_revision=0)
        with pytest.raises(sessiond.RevisionMismatch) as mismatch:
            hold.advance(StateChange(pts=2), expected_revision=0)
        assert mismatch.value.current == revision
        assert hold.advance(StateChange(pts=3), request_id="once") == hold.advance(
            StateChange(pts=3), request_id="once"
        )
        with pytest.raises(sessiond.InvalidArgument) as reused:
            hold.advance(StateChange(pts=4), request_id="once")
        assert reused.value.reason == "REQUEST_ID_REUSED"


def test_merge_adds_and_forgets_first_what_clear_names(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        hold.save(full_session())
        hold.merge(Session(dcs=[DataCenter(id=4, auth=KEY)]))
        merged = hold.load().session
        assert merged is not None
        assert [dc.id for dc in merged.dcs if dc.has_auth] == [1, 4]
        hold.merge(Session(), clear=sessiond.Clear(all_auth=True, user=True, state=True))
        cleared = hold.load().session
        assert cleared is not None
        assert (cleared.user, cleared.state) == (None, None)
        assert not any(dc.has_auth for dc in cleared.dcs)
        assert hold.delete() > 0
        assert hold.delete() == 0


def test_who_comes_second_is_told_who_holds_and_waits_in_line(client: sessiond.Client) -> None:
    first = client.hold("alice", label="first")
    with pytest.raises(sessiond.HeldByAnother) as refusal:
        client.hold("alice")
    assert (refusal.value.label, refusal.value.pid) == ("first", os.getpid())
    assert refusal.value.since is not None
    with pytest.raises(sessiond.HeldByAnother, match="first"):
        client.hold("alice", wait=True, timeout=0.2)
    told: list[sessiond.Waiting] = []
    with ThreadPoolExecutor() as threads:
        second = threads.submit(client.hold, "alice", wait=True, on_waiting=told.append)
        # Who has given up is out of the line as soon as the daemon hears of it.
        until(lambda: told and told[-1].position == 1, "the first place in the line")
        first.release()
        first.release()
        with second.result(PATIENCE) as hold:
            assert hold.fence > first.fence
    assert told[0].holder is not None
    assert told[0].holder.label == "first"


def test_a_lost_hold_cannot_be_missed(client: sessiond.Client) -> None:
    lost = threading.Event()
    with pytest.raises(sessiond.Lost) as loss, client.hold("alice", on_lost=lambda _: lost.set()) as hold:
        client.end_hold("alice")
        assert lost.wait(PATIENCE)
        for call in (
            hold.load,
            hold.delete,
            lambda: hold.save(Session()),
            lambda: hold.advance(StateChange(pts=1)),
            lambda: hold.put_peers([sessiond.Peer(id=1)]),
            lambda: list(hold.list_attributes()),
            lambda: list(hold.list_peers()),
        ):
            with pytest.raises(sessiond.Lost):
                call()
        stream = hold.advance_stream()
        with pytest.raises(sessiond.Lost):
            stream.durable(stream.push(StateChange(pts=1)))
    assert loss.value.reason is hold.lost is sessiond.LostReason.ENDED_BY_ADMIN
    with client.hold("alice"):
        pass


def test_what_a_block_raises_goes_on_and_has_the_loss_as_its_cause(client: sessiond.Client) -> None:
    with pytest.raises(KeyError) as raised, client.hold("alice") as hold:
        client.end_hold("alice")
        until(lambda: hold.lost, "the loss")
        raise KeyError("the block's own")
    assert isinstance(raised.value.__cause__, sessiond.Lost)


def test_the_keys_are_in_use_until_the_program_lets_go_of_a_lost_hold(client: sessiond.Client) -> None:
    holds = [client.hold("alice")]
    client.end_hold("alice")
    until(lambda: holds[0].lost, "the loss")
    with pytest.raises(sessiond.Error):
        client.hold("alice", wait=True, timeout=0.3)
    holds.clear()
    gc.collect()
    client.hold("alice", wait=True, timeout=PATIENCE / 4).release()


def test_a_token_lets_another_program_work_for_the_holder(client: sessiond.Client, daemon: Daemon) -> None:
    with sessiond.connect(daemon.socket) as other:
        hold = client.hold("alice")
        worker = other.held("alice", sessiond.Token.from_hex(hold.token.expose_hex()))
        assert worker.advance(StateChange(pts=7)) == client.load("alice").revision
        stranger = other.held("alice", sessiond.Token(bytes(32)))
        for _ in range(2):
            with pytest.raises(sessiond.Fenced):
                stranger.load()
        hold.release()
        with pytest.raises(sessiond.Fenced):
            worker.advance(StateChange(pts=8))


def test_everything_goes_on_when_the_daemon_is_killed(client: sessiond.Client, daemon: Daemon) -> None:
    with client.hold("alice") as hold, client.watch(["alice"]) as watch:
        while not isinstance(next(watch), sessiond.Synced):
            pass
        acknowledged = 0
        with ThreadPoolExecutor() as threads:
            for _ in range(3):
                writes = [threads.submit(hold.advance, StateChange(pts=pts)) for pts in range(1, 50)]
                daemon.restart()
                acknowledged += len({write.result(PATIENCE) for write in writes} - {0})
        assert acknowledged == 3 * 49
        assert hold.lost is None
        end = hold.advance(StateChange(pts=1000))
        previous = None
        for event in watch:
            if not isinstance(event, sessiond.Advanced):
                assert isinstance(event, sessiond.Bookmark), event
                continue
            assert previous in (None, event.previous_revision), "an event is missing or came twice"
            previous = event.revision
            if event.revision == end:
                break


def test_a_watch_goes_on_from_the_position_of_another(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        hold.advance(StateChange(pts=1))
        with client.watch(["alice"]) as watch:
            kinds = [type(next(watch)) for _ in range(3)]
            assert kinds == [sessiond.Restarted, sessiond.Snapshot, sessiond.Synced]
            position = watch.position
        assert list(watch) == []
        hold.advance(StateChange(pts=2))
        with client.watch(["alice"], after=position) as watch:
            event = next(event for event in watch if isinstance(event, sessiond.Advanced))
            assert event.change == StateChange(pts=2)


def test_a_watch_ends_under_a_thread_that_waits_for_its_next_event(client: sessiond.Client) -> None:
    watch = client.watch(["alice"], bookmark_interval=60)
    with ThreadPoolExecutor() as threads:
        events = threads.submit(list, watch)
        until(lambda: watch.position, "synced")
        watch.close()
        assert len(events.result(PATIENCE)) == 2


def test_watches_that_are_left_unread_hold_nothing_up(client: sessiond.Client) -> None:
    channels = [ChannelState(id, 1) for id in range(1, 200)]
    with client.hold("alice") as hold:
        unread = [client.watch() for _ in range(4)]
        for watch in unread:
            assert isinstance(next(watch), sessiond.Restarted)
        with hold.advance_stream() as stream:
            for pts in range(1, 3000):
                stream.push(StateChange(pts=pts, channels=channels))
        # Each of them has more waiting than any window has room for.
        assert hold.advance(StateChange(pts=3000), deadline=PATIENCE) > 0
        with client.watch(["alice"]) as fifth:
            assert isinstance([next(fifth) for _ in range(3)][-1], sessiond.Synced)
        for watch in unread:
            assert next(event for event in watch if getattr(event, "change", None) == StateChange(pts=3000))
            watch.close()


def test_changes_of_a_stream_do_not_wait_for_each_other(client: sessiond.Client, daemon: Daemon) -> None:
    with client.hold("alice") as hold:
        with hold.advance_stream() as stream:
            assert [stream.push(StateChange(pts=pts)) for pts in range(1, 1001)] == list(range(1, 1001))
            assert stream.durable(10).sequence >= 10
            daemon.restart()
            for pts in range(1001, 2001):
                stream.push(StateChange(pts=pts))
            revision = stream.finish()
            assert stream.acknowledged == sessiond.Acknowledged(2000, revision or 0)
        loaded = client.load("alice")
        assert loaded.revision == revision
        assert loaded.session is not None
        assert loaded.session.state == UpdateState(pts=2000)
        assert stream.durable(2000).sequence == 2000
        with pytest.raises(ValueError, match="finished"):
            stream.push(StateChange(pts=1))
        assert hold.advance_stream().finish() is None


def test_a_stream_ends_at_the_first_change_that_is_refused(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        stream = hold.advance_stream()
        stream.push(StateChange(pts=1))
        assert stream.push(StateChange()) == 2
        with pytest.raises(sessiond.ChangeRefused) as refused:
            stream.durable(2)
        assert refused.value.sequence == 2
        assert isinstance(refused.value.refusal, sessiond.InvalidArgument)
        with pytest.raises(sessiond.ChangeRefused):
            stream.finish()
        assert client.load("alice").session == Session(state=UpdateState(pts=1))


def test_peers_are_kept_found_listed_and_forgotten(client: sessiond.Client) -> None:
    anna = sessiond.Peer(
        id=2**63 - 1, access_hash=-(2**63), kind=sessiond.PeerKind.USER, bot=False, is_self=True, min=False,
        usernames=["anna"], phone="49123", name="Anna", seen=2**40, extra={"lib.x": b"\0"},
    )  # fmt: skip
    group = sessiond.Peer(id=-5, access_hash=0, kind=sessiond.PeerKind.GROUP, seen=1)
    with client.hold("alice") as hold:
        assert hold.put_peers([anna, group]).changed == 2
        assert hold.put_peers([anna]).changed == 0
        keys = [sessiond.PeerKey(username="ANNA"), sessiond.PeerKey(id=6), sessiond.PeerKey(phone="49123")]
        assert hold.peers(keys) == [anna, None, anna]
        assert list(hold.list_peers()) == [group, anna]
        assert list(hold.list_peers(kinds=[None])) == []
        assert list(hold.list_peers(kinds=[sessiond.PeerKind.USER], after_id=-5, seen_after=1)) == [anna]
        assert hold.delete_peers([-5, 99]).changed == 1
        assert hold.delete_all_peers().changed == 1
        many = [sessiond.Peer(id=id, seen=1) for id in range(1, 2502)]
        assert hold.put_peers(many).changed == len(many)
        assert [peer.id for peer in hold.list_peers()] == [peer.id for peer in many]


def test_attributes_are_set_and_deleted_together(client: sessiond.Client) -> None:
    temporary = sessiond.Attribute("lib.temp", KEY, secret=True)
    api_id = sessiond.Attribute("api_id", (12345).to_bytes(8, "little"))
    with client.hold("alice") as hold:
        hold.put_attributes([temporary, api_id, sessiond.Attribute("lib.empty", b"")])
        assert hold.attributes(["api_id", "none", "lib.temp"]) == [api_id, temporary]
        listed = list(hold.list_attributes("lib.", keys_only=True))
        assert [(found.key, found.value) for found in listed] == [("lib.empty", b""), ("lib.temp", None)]
        for lossy in (sessiond.Attribute("lib.temp", KEY), *listed[1:]):
            with pytest.raises(sessiond.InvalidArgument):
                hold.put_attributes([lossy])
        hold.put_attributes([], delete=["api_id"])
        assert hold.delete_attributes(["lib.empty", "none"]).changed == 1
        assert hold.delete_attributes_below("lib.").changed == 1
        assert list(hold.list_attributes()) == []


def test_sessions_are_listed_in_short(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        hold.save(full_session())
        client.hold("b.2").release()
        [summary] = client.list("ali")
        assert (summary.name, summary.pts, summary.channel_count) == ("alice", 2**31 - 1, 1)
        assert (summary.dcs_with_auth, summary.waiting, summary.damaged) == ((1,), 0, False)
        assert summary.holder == client.load("alice").holder
    info = client.info()
    assert {"peers", "attributes"} <= set(info.features)
    assert info.figures.held == 0


def test_a_daemon_that_is_away_is_waited_for(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path)
    with sessiond.connect(daemon.socket, deadline=0.3) as client:
        for call in (client.info, lambda: client.hold("alice"), lambda: next(client.watch())):
            with pytest.raises(sessiond.Unavailable, match="No such file") as away:
                call()
            assert away.value.socket == daemon.socket
    with sessiond.connect(daemon.socket) as client, ThreadPoolExecutor() as threads:
        info = threads.submit(client.info)
        hold = threads.submit(client.hold, "alice")
        watch = client.watch()
        event = threads.submit(next, watch)
        with daemon:
            assert info.result(PATIENCE).engine == "sqlite"
            hold.result(PATIENCE).release()
            assert isinstance(event.result(PATIENCE), sessiond.Restarted)


def test_after_a_fork_the_hold_is_the_parents(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        child = os.fork()
        if child == 0:
            refused = 0
            for call in (hold.load, client.info, lambda: next(client.watch())):
                try:
                    call()
                except RuntimeError:
                    refused += 1
            with hold:
                pass
            client.close()
            os._exit(refused)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        assert hold.advance(StateChange(pts=1)) > 0


def test_a_client_that_is_closed_takes_no_calls(daemon: Daemon) -> None:
    with sessiond.connect(daemon.socket) as client:
        hold = client.hold("alice")
        watch = client.watch()
        next(watch)
    with pytest.raises(ValueError, match="closed"):
        hold.advance(StateChange(pts=1))
    assert list(watch) == []
