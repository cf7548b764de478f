"""A process of its own that runs a library, told what to do line by line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

#: What a worker can do, by name. It is given the words after the name.
Actions = dict[str, Callable[..., Awaitable[Any]]]


class Patch:
    """What `pytest.MonkeyPatch` is to a test, for a process that ends."""

    def setattr(self, target: Any, name: str, value: Any) -> None:
        setattr(target, name, value)


async def serve(actions: Actions) -> None:
    """The worker's own side: does what it is told, and tells what came of it or what was raised."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *words = line.split()
        try:
            told = {"result": await actions[name](*words)}
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(told), flush=True)


class Worker:
    """The other side: runs such a program, and tells it what to do."""

    def __init__(self, program: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            (sys.executable, program, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def begin(self, *words: object) -> None:
        """Tells it to do something."""
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)

    def end(self) -> Any:
        """What came of it. An error is its text."""
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        return told["error"] if "error" in told else told["result"]

    def do(self, *words: object) -> Any:
        """Tells it to do something, and waits for what comes of it."""
        self.begin(*words)
        return self.end()

    def kill(self) -> None:
        """Kills it with SIGKILL."""
        self._process.kill()
        self._process.wait()
