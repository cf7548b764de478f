"""What it costs to save: a library's own SQLite storage and sessiond, in turns, each called as the library calls it; and for how
long the event loop stands still meanwhile, beside a loop that has nothing to do. `make bench-adapters` runs it with each
library's Python: `cost.py LIBRARY`. Each line that it prints is one of JSON: benches/adapters.py makes a table of them."""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from daemon import Daemon

import sessiond

ROUNDS = 500
#: So many rounds on one storage, and then on the next, so that the machine is the same for all.
BLOCK = 50
#: A program waits for Telegram now and then, too: so long, in seconds, after each round.
REST = 0.001
#: How often it is looked whether the event loop goes on, in seconds.
BEAT = 0.0005
#: What a busy account has.
CHANNELS = 500
PEERS = 100_000

#: What a library does, by what it is called in the table. It is given the number of the round.
Steps = dict[str, Callable[[int], Awaitable[None]]]


class Collector:
    """For how long Python's garbage collector has stopped everything, in seconds. It looks through all that the library is made
    of, whatever the session is in; `gc.freeze()` after the imports spares a program that."""

    def __init__(self) -> None:
        self.taken = 0.0
        self._began = 0.0
        gc.callbacks.append(self._tell)

    def _tell(self, phase: str, _details: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.taken += time.perf_counter() - self._began


COLLECTOR = Collector()


class Pulse:
    """For how long an event loop stood still at most, in seconds, without the collector and for the collector."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.collected = 0.0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        beating = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        yield
        await asyncio.sleep(2 * BEAT)
        beating.cancel()

    async def _beat(self) -> None:
        while True:
            began, before = time.perf_counter(), COLLECTOR.taken
            await asyncio.sleep(BEAT)
            late, collected = time.perf_counter() - began - BEAT, COLLECTOR.taken - before
            self.longest = max(self.longest, late - collected)
            self.collected = max(self.collected, collected)


async def measure(library: str, storages: dict[str, Steps]) -> None:
    """Prints what each step costs on each storage, and for how long the loop stood still."""
    pulses = {name: Pulse() for name in (*storages, "nothing")}
    for step in next(iter(storages.values())):
        took: dict[str, list[float]] = {name: [] for name in storages}
        for first in range(0, ROUNDS, BLOCK):
            for name, steps in storages.items():
                async with pulses[name].taken():
                    for number in range(first, first + BLOCK):
                        began = time.perf_counter()
                        await steps[step](number)
                        took[name].append(time.perf_counter() - began)
                        await asyncio.sleep(REST)
            async with pulses["nothing"].taken():
                for _ in range(BLOCK):
                    await asyncio.sleep(REST)
        tell(library, step, "us", {name: statistics.median(took[name]) * 1e6 for name in storages})
    tell_loop(library, "while it works", pulses)


async def opening(library: str, open: Callable[[], Awaitable[None]]) -> None:
    """Prints for how long the loop stands still while a large session is opened."""
    pulses = {name: Pulse() for name in ("sessiond", "nothing")}
    async with pulses["sessiond"].taken():
        began = time.perf_counter()
        await open()
        took = time.perf_counter() - began
    async with pulses["nothing"].taken():
        await asyncio.sleep(took)
    tell_loop(library, f"while it opens a session of {CHANNELS} channels and {PEERS:,} peers", pulses)


def tell_loop(library: str, when: str, pulses: dict[str, Pulse]) -> None:
    tell(library, when, "ms", {name: pulse.longest * 1e3 for name, pulse in pulses.items()})
    collected = {name: pulse.collected * 1e3 for name, pulse in pulses.items()}
    tell(library, f"{when}: Python's garbage collector", "ms", collected)


def tell(library: str, what: str, unit: str, values: dict[str, float]) -> None:
    print(json.dumps({"library": library, "what": what, "unit": unit, **values}), flush=True)


def fill(socket: str, name: str) -> None:
    """Makes a large session of somebody who is logged in."""
    channels = [sessiond.ChannelState(id, 1) for id in range(1, CHANNELS + 1)]
    dc = sessiond.DataCenter(id=2, ipv4_addr="149.154.167.41:443", auth=bytes(range(256)))
    state = sessiond.UpdateState(pts=1, date=1, channels=channels)
    user = sessiond.User(id=5, dc=2, bot=True)
    with sessiond.connect(socket) as client, client.hold(name) as hold:
        hold.save(sessiond.Session(dcs=[dc], user=user, state=state, home_dc=2))
        hold.put_peers(
            [sessiond.Peer(id=1000 + n, access_hash=n, usernames=[f"user{n}"]) for n in range(PEERS)]
        )


async def telethon(library: str, folder: Path, socket: str) -> None:
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

    large = SessiondSession("large", socket=socket)

    async def open() -> None:
        await large.set_dc(2, "149.154.167.41", 443)
        await large.get_input_entity(1000)

    await opening(library, open)
    await large.close()
    own = SQLiteSession(str(folder / "own"))
    ours = SessiondSession("telethon", socket=socket)
    await measure(library, {"file": await steps(own), "sessiond": await steps(ours)})
    await ours.close()


async def pyrogram(library: str, folder: Path, socket: str) -> None:
    fork = import_module(f"{library.lower()}_test").FORK

    def app(**storage: Any) -> Any:
        given = {"bot_token": "1:a", "workdir": str(folder), **fork.options, **storage}
        return fork.module.Client("alice", api_id=12345, api_hash="hash", **given)

    async def steps(app: Any) -> Steps:
        storage = app.storage
        await storage.open()
        values = (("test_mode", False), ("auth_key", bytes(range(256))), ("user_id", 5), ("is_bot", True))
        for name, value in values:
            await getattr(storage, name)(value)

        async def state(number: int) -> None:
            if hasattr(storage, "update_state"):
                await storage.update_state((0, number + 1, None, 1700000000, None))
            else:
                kind = fork.module.storage.UpdateState
                await storage.set_update_state(kind(0, number + 1, None, 1700000000, None))

        async def state_saved(number: int) -> None:
            await state(ROUNDS + number)
            await storage.save()

        async def peers(number: int) -> None:
            await app.fetch_peers([fork.user(number * 20 + n + 1) for n in range(20)])

        async def found(number: int) -> None:
            await storage.get_peer_by_id(number * 20 + 1)

        counts = hasattr(storage, "update_state") or hasattr(storage, "set_update_state")
        states = {"a counter, as the program waits": state, "a counter, until durable": state_saved}
        peer = {"20 new peers, as the program waits": peers, "a peer looked up": found}
        return {**(states if counts else {}), **peer}

    large = fork.storage("large", socket=socket)

    async def open() -> None:
        await large.open()
        await large.get_peer_by_id(1000)

    await opening(library, open)
    await large.close()
    ours = fork.storage("ours", socket=socket)
    on_both = {"file": await steps(app()), "sessiond": await steps(app(**{fork.argument: ours}))}
    await measure(library, on_both)
    await ours.close()


def main() -> None:
    library = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder, Daemon(Path(folder)) as daemon:
        fill(daemon.socket, "large")
        program = telethon if library == "Telethon" else pyrogram
        asyncio.run(program(library, Path(folder), daemon.socket))


if __name__ == "__main__":
    main()
