"""What goes wrong with the forks' own files, and how the same program fares on sessiond. The table of it is in
docs/libraries.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Daemon
from worker import Worker

PROGRAM = str(Path(__file__).with_name("pyrogram_worker.py"))
LOCKED = "OperationalError: database is locked"


class Program:
    """A program of one fork, on a file or on sessiond, as often as it is started."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    def start(self) -> Worker:
        return Worker(PROGRAM, *self._arguments)


class Pain:
    """What is shown of each."""

    #: The fork, as its adapter's module is called.
    name: str
    #: Whether one process locks the next out. If not, both go on with one key.
    locks = False
    #: Whether it reports counters.
    counts = True
    #: What a file is left with when its process is killed: the counter, which went from 10 to 500, and how many of 50 users.
    left: tuple[int | None, int]

    @pytest.fixture
    def files(self, tmp_path: Path) -> Program:
        return Program(self.name, "files", str(tmp_path), "")

    @pytest.fixture
    def on_sessiond(self, tmp_path: Path) -> Iterator[Program]:
        with Daemon(tmp_path) as daemon:
            yield Program(self.name, "sessiond", str(tmp_path), daemon.socket)

    def test_a_second_process_starts_on_the_file(self, files: Program) -> None:
        with files.start() as first, files.start() as second:
            key = first.do("start")
            first.do("updates", 11, 500)
            if self.locks:
                assert second.do("start") == LOCKED
                return
            # Telegram answers this with AUTH_KEY_DUPLICATED, and the key is gone.
            assert second.do("start") == key
            second.do("updates", 11, 20)
            assert first.do("pts") == (20 if self.counts else None)

    def test_a_second_process_starts_on_sessiond(self, on_sessiond: Program) -> None:
        with on_sessiond.start() as first, on_sessiond.start() as second:
            key = first.do("start")
            second.begin("start")
            first.do("updates", 11, 500)
            first.do("stop")
            assert second.end() == key
            assert second.do("pts") == (500 if self.counts else None)

    def test_a_process_is_killed(self, files: Program, on_sessiond: Program) -> None:
        left = []
        for program in (files, on_sessiond):
            with program.start() as first:
                first.do("start")
                first.do("updates", 11, 500)
                first.do("meet", 50)
                first.kill()
            with program.start() as second:
                second.do("start")
                left.append((second.do("pts"), second.do("known", 50)))
        assert left == [self.left, (500 if self.counts else None, 50)]
