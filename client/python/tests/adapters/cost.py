"""What it costs to save: Telethon's and Kurigram's own SQLite storages and sessiond, in one run, each called as its library
calls it. Run it with a library's Python as tests/adapters/run.sh does: `cost.py telethon|kurigram`. Prints medians in
microseconds, and how long the event loop was held up at most."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from daemon import Daemon

ROUNDS = 500
#: One after the other for each of the storages, so that the machine is the same for all.
Steps = dict[str, Callable[[int], Awaitable[None]]]


class Pulse:
    """How long the event loop was held up at a time: at most by the clock, which counts other processes of a busy machine, and
    by the processor time of this thread, which does not count a wait for a disk."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.processor = 0.0
        self._last = (0.0, 0.0)

    def begin(self) -> None:
        self._last = (time.perf_counter(), time.thread_time())
        self._beating = asyncio.create_task(self._beat())

    def stop(self) -> None:
        self._beating.cancel()
        self._count()

    async def _beat(self) -> None:
        while True:
            self._count()
            await asyncio.sleep(0)

    def _count(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        self.clock = max(self.clock, now[0] - self._last[0])
        self.processor = max(self.processor, now[1] - self._last[1])
        self._last = now


async def measure(storages: dict[str, Steps]) -> None:
    """Prints what each step costs on each storage."""
    pulses = {name: Pulse() for name in storages}
    for step in next(iter(storages.values())):
        took: dict[str, list[float]] = {name: [] for name in storages}
        for number in range(ROUNDS):
            for name, steps in storages.items():
                pulses[name].begin()
                began = time.perf_counter()
                await steps[step](number)
                took[name].append(time.perf_counter() - began)
                pulses[name].stop()
                # A program waits for Telegram now and then, too.
                await asyncio.sleep(0.001)
        medians = "   ".join(f"{name} {statistics.median(took[name]) * 1e6:7.0f}" for name in storages)
        print(f"{step:44} {medians}")
    for what, longest in (("clock", "clock"), ("processor time", "processor")):
        line = "   ".join(f"{name} {getattr(pulse, longest) * 1e3:7.1f}" for name, pulse in pulses.items())
        print(f"{'loop held up, ms at most, ' + what:44} {line}")


async def telethon(folder: Path, socket: str) -> None:
    from telethon.sessions import SQLiteSession
    from telethon.tl import types
    from telethon.utils import maybe_async
    from telethon_server import NOW

    from sessiond.adapters.telethon import SessiondSession

    async def steps(session: Any) -> Steps:
        await maybe_async(session.set_dc(2, "149.154.167.41", 443))

        async def states(number: int) -> None:
            session.set_update_state(0, types.updates.State(number + 1, 0, NOW, 0, 0))
            for channel in range(1, 21):
                session.set_update_state(channel, types.updates.State(number + 1, 0, NOW, 0, 0))
            await maybe_async(session.save())

        async def peers(number: int) -> None:
            users = [types.User(id=number * 20 + n + 1, access_hash=1, first_name="A") for n in range(20)]
            session.process_entities(users)

        async def peers_saved(number: int) -> None:
            await peers(ROUNDS + number)
            await maybe_async(session.save())

        async def found(number: int) -> None:
            await maybe_async(session.get_input_entity(number * 20 + 1))

        return {
            "counters of 20 channels, until durable": states,
            "20 new peers, as the program waits": peers,
            "20 new peers, until durable": peers_saved,
            "a peer looked up": found,
        }

    own = SQLiteSession(str(folder / "own"))
    ours = SessiondSession("telethon", socket=socket)
    await measure({"file": await steps(own), "sessiond": await steps(ours)})
    await ours.close()


async def kurigram(folder: Path, socket: str) -> None:
    from pyrogram.storage import SQLiteStorage, UpdateState

    from sessiond.adapters.kurigram import SessiondStorage

    async def steps(storage: Any) -> Steps:
        await storage.open()
        for name, value in (
            ("test_mode", False),
            ("auth_key", bytes(range(256))),
            ("user_id", 5),
            ("is_bot", True),
        ):
            await getattr(storage, name)(value)

        async def state(number: int) -> None:
            await storage.set_update_state(UpdateState(0, number + 1, None, 1700000000, None))

        async def durable(number: int) -> None:
            await storage.set_update_state(UpdateState(0, ROUNDS + number, None, 1700000000, None))
            await storage.save()

        async def peers(number: int) -> None:
            await storage.update_peers([(number * 20 + n + 1, 1, "user", None) for n in range(20)])

        async def found(number: int) -> None:
            await storage.get_peer_by_id(number * 20 + 1)

        return {
            "a counter, as the program waits": state,
            "a counter, until durable": durable,
            "20 new peers, as the program waits": peers,
            "a peer looked up": found,
        }

    own = SQLiteStorage("own", workdir=folder)
    ours = SessiondStorage("kurigram", socket=socket)
    await measure({"file": await steps(own), "sessiond": await steps(ours)})
    await ours.close()


def main() -> None:
    library = {"telethon": telethon, "kurigram": kurigram}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder)) as daemon:
        asyncio.run(library(Path(folder), daemon.socket))


if __name__ == "__main__":
    main()
