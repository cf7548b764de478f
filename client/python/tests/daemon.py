"""A daemon under test."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest

#: How long anything may take that a test waits for, in seconds.
PATIENCE = 20.0


class Daemon:
    """The daemon that `SESSIOND_BIN` names, else `sessiond` of PATH; without one, the test is skipped. It serves until the
    `with` block ends, and can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = os.environ.get("SESSIOND_BIN") or shutil.which("sessiond")
        if not program:
            pytest.skip("there is no daemon: name its program in SESSIOND_BIN, or have it on PATH")
        self.socket = str(folder / "s.sock")
        serve = (program, "serve", "--dir", str(folder / "sessions"), "--socket", self.socket)
        sealed = ("--seal", f"file:{folder / 'key'}")
        self._command = (*serve, *sealed, "--hand-over-delay", "0", "--log", "warn", *options)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it. Clients wait for it by themselves."""
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        """Kills it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self) -> None:
        """Kills it, and starts it again."""
        self.kill()
        self.start()


def until(condition: object, what: str) -> None:
    """Waits until a condition holds that nothing tells of."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it never came to be: {what}"
        time.sleep(0.01)
