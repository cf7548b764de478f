"""What goes wrong with Telethon's own files, and how the same program fares on sessiond. The table of it is in
docs/libraries.md."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from daemon import Daemon
from telethon.crypto import AuthKey
from telethon.sessions import SQLiteSession
from worker import Worker

import sessiond
from sessiond import DataCenter, Session, User

PROGRAM = str(Path(__file__).with_name("telethon_worker.py"))
KEY = bytes([1]) * 256


class Files:
    """A session file of Telethon's."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "alice.session")
        session = SQLiteSession(self.path)
        session.set_dc(2, "149.154.167.41", 443)
        session.auth_key = AuthKey(KEY)
        session.save()
        session.close()

    def worker(self) -> Worker:
        return Worker(PROGRAM, "files", self.path, "")

    def keys(self) -> list[int]:
        """The data centers with keys."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [id for (id,) in connection.execute("select dc_id from sessions where auth_key != x''")]


class OnSessiond:
    """A session on sessiond."""

    def __init__(self, daemon: Daemon) -> None:
        self.socket = daemon.socket
        with sessiond.connect(daemon.socket) as client, client.hold("alice") as hold:
            dc = DataCenter(id=2, ipv4_addr="149.154.167.41:443", auth=KEY)
            hold.save(Session(dcs=[dc], user=User(id=868231286072, dc=2)))

    def worker(self) -> Worker:
        return Worker(PROGRAM, "sessiond", "alice", self.socket)

    def keys(self) -> list[int]:
        with sessiond.connect(self.socket) as client, client.hold("alice", wait=True) as hold:
            assert hold.session is not None
            return [dc.id for dc in hold.session.dcs if dc.has_auth]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def on_sessiond(daemon: Daemon) -> OnSessiond:
    return OnSessiond(daemon)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path) as daemon:
        yield daemon


def test_the_database_is_locked(files: Files, on_sessiond: OnSessiond) -> None:
    with files.worker() as first, files.worker() as second:
        assert first.do("connect") == 1
        first.do("meet", 1)
        assert second.do("connect") == "OperationalError: database is locked"
    with on_sessiond.worker() as first, on_sessiond.worker() as second:
        assert first.do("connect") == 1
        first.do("meet", 1)
        assert second.do("connect", "now").startswith("HeldByAnother: worker (process ")
        second.begin("connect")
        first.do("disconnect")
        assert second.end() == 1
        assert second.do("known", 1) == 1


def test_one_key_is_used_by_two_processes_at_once(files: Files, on_sessiond: OnSessiond) -> None:
    with files.worker() as first, files.worker() as second:
        assert first.do("connect") == 1
        first.do("minute")
        # Telegram answers this with AUTH_KEY_DUPLICATED, and the key is gone.
        assert second.do("connect") == 1
    with on_sessiond.worker() as first, on_sessiond.worker() as second:
        assert first.do("connect") == 1
        first.do("minute")
        second.begin("connect")
        waiting = threading.Thread(target=second.end)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        first.kill()
        waiting.join()


def test_a_kill_takes_what_was_met_in_the_last_minute(files: Files, on_sessiond: OnSessiond) -> None:
    left = {}
    for storage in (files, on_sessiond):
        with storage.worker() as first:
            first.do("connect")
            first.do("meet", 50)
            first.kill()
        with storage.worker() as second:
            second.do("connect")
            left[type(storage)] = second.do("known", 50)
    assert left == {Files: 0, OnSessiond: 50}


def test_keys_of_other_data_centers_are_forgotten(files: Files, on_sessiond: OnSessiond) -> None:
    left = {}
    for storage in (files, on_sessiond):
        with storage.worker() as worker:
            worker.do("connect")
            worker.do("switch")
            worker.do("disconnect")
        left[type(storage)] = storage.keys()
    assert left == {Files: [4], OnSessiond: [2, 4]}
