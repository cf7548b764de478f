"""The rules that need no daemon."""

from __future__ import annotations

import os
import pickle
import stat

import grpc
import pytest

import sessiond
from sessiond import _v1 as v1
from sessiond import errors
from sessiond._changes import Changes
from sessiond._place import Place
from sessiond._requests import Requests
from sessiond._retry import Retry
from sessiond._socket import Socket
from sessiond._status import Status

TOKEN = sessiond.Token(bytes(range(32)))
AWAY = Status(grpc.StatusCode.UNAVAILABLE, "nobody there")


@pytest.mark.parametrize(
    ("text", "shown", "target"),
    [
        ("/run/x.sock", "/run/x.sock", "unix:/run/x.sock"),
        ("unix:/run/x.sock", "/run/x.sock", "unix:/run/x.sock"),
        ("unix:///run/x.sock", "/run/x.sock", "unix:/run/x.sock"),
        ("x.sock", "x.sock", "unix:x.sock"),
        ("/a b/50%.sock", "/a b/50%.sock", "unix:/a%20b/50%25.sock"),
        ("unix-abstract:sessiond", "unix-abstract:sessiond", "unix-abstract:sessiond"),
    ],
)
def test_a_socket_is_a_path_or_an_abstract_name(text: str, shown: str, target: str) -> None:
    assert (str(Socket(text)), Socket(text).target()) == (shown, target)


def test_the_socket_is_what_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(Socket.found({"SESSIOND_SOCKET": "unix:/run/x.sock"})) == "/run/x.sock"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (
        sessiond.default_socket({"XDG_RUNTIME_DIR": "/run/user/1000"})
        == "/run/user/1000/sessiond/sessiond.sock"
    )
    assert str(Socket.found({"SESSIOND_SOCKET": ""})) == "/tmp/sessiond-1000/sessiond.sock"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert sessiond.default_socket({"XDG_RUNTIME_DIR": "/run/user/0"}) == "/run/sessiond/sessiond.sock"


def test_why_nobody_answers_is_in_the_systems_words(tmp_path: os.PathLike[str]) -> None:
    assert Socket(os.path.join(tmp_path, "none")).trouble() == os.strerror(2)
    assert Socket("/" + "x" * 200).trouble() == "AF_UNIX path too long"


@pytest.mark.parametrize("name", ["", "x" * 129, ".x", "-x", "a/b", "ä", "a b"])
def test_what_is_no_name_is_told_before_anything_is_sent(name: str) -> None:
    with sessiond.connect("/nowhere") as client:
        for call in (client.hold, client.load, client.end_hold, lambda name: client.watch([name])):
            with pytest.raises(sessiond.InvalidName):
                call(name)


def test_a_token_reads_back_from_its_hexadecimal_form() -> None:
    assert sessiond.Token.from_hex(TOKEN.expose_hex()) == TOKEN
    for text in ("", "00", "0" * 63, "g" * 64):
        with pytest.raises(ValueError, match="32 bytes"):
            sessiond.Token.from_hex(text)


def test_attempts_are_at_most_a_second_apart() -> None:
    retry = Retry(Socket("/nowhere"), None)
    delays = [retry.pause(AWAY) for _ in range(20)]
    assert delays[0] <= 0.02
    assert all(0.5 <= delay <= 1.0 for delay in delays[7:])
    retry.heard()
    assert retry.pause(AWAY) <= 0.02, "what was heard ends the outage"


def test_only_what_may_pass_is_tried_again() -> None:
    code = grpc.StatusCode
    passing = [(code.UNAVAILABLE, "STARTING"), (code.INTERNAL, "STORAGE_FAILED"), (code.UNKNOWN, "")]
    assert all(Status(kind, "", reason).is_passing() for kind, reason in passing)
    for kind, reason, error in [
        (code.RESOURCE_EXHAUSTED, "STORAGE_FULL", sessiond.StorageFull),
        (code.FAILED_PRECONDITION, "FENCED", sessiond.Fenced),
        (code.UNIMPLEMENTED, "", sessiond.Error),
    ]:
        with pytest.raises(error):
            Retry(Socket("/nowhere"), 30).pause(Status(kind, "", reason))


def test_the_last_word_of_a_disk_that_failed_is_its_error() -> None:
    retry = Retry(Socket("/nowhere"), 0.05)
    with pytest.raises(sessiond.StorageFailed):
        for _ in range(20):
            retry.pause(Status(grpc.StatusCode.INTERNAL, "", "STORAGE_FAILED"))


def test_a_key_that_was_withheld_is_not_replaced_by_nothing() -> None:
    session = sessiond.Session(dcs=[sessiond.DataCenter(id=2, withheld=True)])
    with pytest.raises(sessiond.InvalidArgument, match=r"dcs\[id=2\]") as refusal:
        Requests("alice", TOKEN).save(session, None, None)
    assert refusal.value.reason == "INVALID_SESSION"
    Requests("alice", TOKEN).merge(session, None, None, None)
    session.dcs[0].auth = bytes(256)
    Requests("alice", TOKEN).save(session, None, None)


def test_a_number_that_does_not_fit_is_refused_without_being_told() -> None:
    peer = sessiond.Peer(id=1, access_hash=2**63)
    with pytest.raises(sessiond.InvalidArgument) as refusal:
        list(Requests("alice", TOKEN).put_peers([peer]))
    assert str(2**63) not in f"{refusal.value!r}{refusal.value}{refusal.value.__cause__}"


def test_peers_are_sent_in_messages_that_the_daemon_takes() -> None:
    def messages(peers: list[sessiond.Peer]) -> list[int]:
        return [len(request.message.peers) for request in Requests("alice", TOKEN).put_peers(peers)]

    assert messages([sessiond.Peer(id=1)] * 2001) == [1000, 1000, 1]
    large = [sessiond.Peer(id=1, extra={"k.k": bytes(60_000)})] * 40
    assert max(messages(large)) <= 17
    assert sum(messages(large)) == 40
    assert messages([]) == []


def _queue(changes: int) -> Changes:
    queue = Changes()
    for pts in range(1, changes + 1):
        queue.push(sessiond.StateChange(pts=pts))
    return queue


def _sent(queue: Changes, connection: int, most: int = 99) -> list[tuple[int, int]]:
    sent: list[tuple[int, int]] = []
    while len(sent) < most and (following := queue.next(connection)) is not None:
        sent.append((following[0], following[1].pts))
    return sent


def test_acknowledgements_are_counted_over_all_connections() -> None:
    queue = _queue(5)
    assert len(_sent(queue, queue.begin(), 4)) == 4
    queue.acknowledge(2, 7)
    assert queue.acknowledged == sessiond.Acknowledged(2, 7)
    assert _sent(queue, queue.begin()) == [(1, 4), (2, 5)]
    queue.acknowledge(1, 8)
    assert queue.acknowledged.sequence == 4
    queue.acknowledge(2, 9)
    queue.acknowledge(2, 9)
    assert queue.acknowledged == sessiond.Acknowledged(5, 9)


def test_a_refused_change_is_named_by_its_own_sequence() -> None:
    queue = _queue(6)
    _sent(queue, queue.begin(), 4)
    assert (queue.first_of(1), queue.first_of(4)) == (1, 4)
    queue.acknowledge(1, 1)
    assert (queue.first_of(2), queue.first_of(4)) == (2, 4)
    _sent(queue, queue.begin())
    assert (queue.first_of(1), queue.first_of(2), queue.first_of(3)) == (2, 5, 6)


def test_a_broken_connection_takes_nothing_from_the_next() -> None:
    queue = _queue(1)
    broken, connection = queue.begin(), queue.begin()
    assert queue.can_go_on(broken)
    assert queue.next(broken) is None
    assert _sent(queue, connection) == [(1, 1)]


def test_what_is_sent_again_fits_into_messages_and_is_durable_as_a_whole() -> None:
    queue = Changes()
    for at in range(3):
        channels = [sessiond.ChannelState(at * 50_000 + n + 1, 1) for n in range(50_000)]
        queue.push(sessiond.StateChange(pts=at, channels=channels))
    assert len(_sent(queue, queue.begin())) == 3
    assert [pts for _, pts in _sent(queue, queue.begin())] == [0, 2]
    queue.acknowledge(1, 5)
    assert queue.acknowledged.sequence == 0
    queue.acknowledge(2, 6)
    assert queue.acknowledged == sessiond.Acknowledged(3, 6)


def test_changes_that_follow_each_other_are_joined_by_their_last_values() -> None:
    one = sessiond.StateChange.joined(
        [
            sessiond.StateChange(pts=1, channels=[sessiond.ChannelState(7, 1), sessiond.ChannelState(8, 1)]),
            sessiond.StateChange(qts=2, removed_channels=[7], channels=[sessiond.ChannelState(8, 2)]),
        ]
    )
    assert one == sessiond.StateChange(
        pts=1, qts=2, channels=[sessiond.ChannelState(8, 2)], removed_channels=[7]
    )


def test_a_watch_that_goes_on_tells_nothing_twice() -> None:
    place = Place([], "", None, sessiond.WatchMode.EVERY_CHANGE, None)
    place.request()
    place.fresh(v1.WatchResponse(restarted=v1.Restarted(reason=v1.RESTART_REASON_FIRST)))
    assert place.position is None
    place.fresh(v1.WatchResponse(revision=5, synced=v1.Synced(store_id="s")))
    commit = v1.WatchResponse(revision=6, name="a", change=v1.StateChange(pts=1))
    assert place.fresh(commit) is not None
    assert place.position == sessiond.WatchPosition(6, "s")
    again = place.request()
    assert (again.after_revision, again.store_id) == (6, "s")
    assert place.fresh(commit) is None
    assert place.fresh(v1.WatchResponse(revision=6, synced=v1.Synced(store_id="s"))) is None
    commit.revision = 7
    assert place.fresh(commit) is not None


def test_in_latest_mode_commits_are_no_position() -> None:
    place = Place([], "", sessiond.WatchPosition(5, "s"), sessiond.WatchMode.LATEST, None)
    place.fresh(v1.WatchResponse(revision=6, name="a", change=v1.StateChange(pts=1)))
    assert place.position == sessiond.WatchPosition(5, "s")
    place.fresh(v1.WatchResponse(revision=7, bookmark=v1.Bookmark()))
    assert place.position == sessiond.WatchPosition(7, "s")


def test_what_this_version_does_not_know_is_a_commit_or_a_bookmark() -> None:
    place = Place([], "", None, sessiond.WatchMode.EVERY_CHANGE, None)
    assert type(place.fresh(v1.WatchResponse(revision=6, name="a"))) is sessiond.Commit
    assert place.fresh(v1.WatchResponse(revision=7)) == sessiond.Bookmark(7)


def test_errors_outlast_pickling() -> None:
    for error in (
        errors.HeldByAnother("bot", 42, None),
        errors.Lost(sessiond.LostReason.FENCED),
        errors.InvalidArgument("TOKEN_REQUIRED", "a token is needed"),
        errors.ChangeRefused(4, errors.RevisionMismatch(7)),
        errors.Unavailable("/x.sock", "no answer in time"),
        errors.FileInUse((7, 8), "close it"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))


def test_the_package_under_test_is_the_installed_one() -> None:
    assert "site-packages" in sessiond.__file__
    typed = os.path.join(os.path.dirname(sessiond.__file__), "py.typed")
    assert stat.S_ISREG(os.stat(typed).st_mode)
