"""What goes wrong with Kurigram's own files, and how the same program fares on sessiond. The table of it is in
docs/libraries.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from daemon import Daemon
from worker import Worker

PROGRAM = str(Path(__file__).with_name("kurigram_worker.py"))


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], Worker]:
    return lambda: Worker(PROGRAM, "files", str(tmp_path), "")


def test_the_database_is_locked(tmp_path: Path, files: Callable[[], Worker]) -> None:
    with files() as first, files() as second:
        first.do("start")
        first.do("updates", 11, 11)
        assert second.do("start") == "OperationalError: database is locked"
    with Daemon(tmp_path) as daemon:
        with (
            Worker(PROGRAM, "sessiond", str(tmp_path), daemon.socket) as first,
            Worker(PROGRAM, "sessiond", str(tmp_path), daemon.socket) as second,
        ):
            first.do("start")
            first.do("updates", 11, 11)
            second.begin("start")
            first.do("stop")
            assert second.end() is None
            assert second.do("pts") == 11


def test_a_kill_takes_all_counters_since_the_start(tmp_path: Path, files: Callable[[], Worker]) -> None:
    with files() as first:
        first.do("start")
        first.do("updates", 11, 500)
        assert first.do("pts") == 500
        first.kill()
    with files() as second:
        second.do("start")
        assert second.do("pts") == 10
    with Daemon(tmp_path) as daemon:
        with Worker(PROGRAM, "sessiond", str(tmp_path), daemon.socket) as first:
            first.do("start")
            first.do("updates", 11, 500)
            first.kill()
        with Worker(PROGRAM, "sessiond", str(tmp_path), daemon.socket) as second:
            second.do("start")
            assert second.do("pts") == 500
