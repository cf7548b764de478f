"""A program with a Pyrogram fork, on its own files or on sessiond: `pyrogram_worker.py FORK files|sessiond FOLDER [SOCKET]`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyrogram_suite import Fork, World
from worker import Patch, serve


class Program:
    """What it does."""

    def __init__(self, fork: Fork, kind: str, folder: str, socket: str) -> None:
        daemon: Any = SimpleNamespace(socket=socket)
        nobody: Any = None
        self.world = World(fork, daemon, client=nobody, folder=Path(folder))
        self.world.stand_in(Patch())
        if kind == "sessiond":
            self.app = self.world.app(self.world.storage(label="worker"))
        else:
            options = {"bot_token": "1:a", "workdir": folder, **fork.options}
            self.app = fork.module.Client("alice", api_id=12345, api_hash="hash", **options)

    async def start(self) -> str:
        """Connects, and logs in if it has to. Gives the key that was used."""
        await self.app.start()
        return self.world.keys[-1].hex()

    async def updates(self, first: str, last: str) -> None:
        """Gets updates of these pts."""
        types = self.world.fork.types
        for pts in range(int(first), int(last) + 1):
            update = types.UpdateDeleteMessages(messages=[1], pts=pts, pts_count=1)
            await self.app.handle_updates(
                types.Updates(updates=[update], users=[], chats=[], date=1700000000, seq=0)
            )
        await asyncio.sleep(0.1)

    async def pts(self) -> int | None:
        """The account's pts, as stored."""
        storage = self.app.storage
        if hasattr(storage, "get_update_states"):
            return next((state.pts for state in await storage.get_update_states(0)), None)
        if hasattr(storage, "update_state"):
            return next((pts for id, pts, *_ in await storage.update_state() if id == 0), None)
        return None

    async def meet(self, count: str) -> None:
        """Meets users, as in the answer to a request."""
        await self.app.fetch_peers([self.world.fork.user(1000 + n) for n in range(int(count))])
        await asyncio.sleep(0.1)

    async def known(self, count: str) -> int:
        """How many of them are known."""
        known = 0
        for n in range(int(count)):
            with contextlib.suppress(KeyError):
                known += bool(await self.app.storage.get_peer_by_id(1000 + n))
        return known

    async def stop(self) -> None:
        """Disconnects."""
        await self.app.stop()


async def main() -> None:
    fork, *where = sys.argv[1:5]
    program = Program(import_module(f"{fork}_test").FORK, *where)
    names = ("start", "updates", "pts", "meet", "known", "stop")
    await serve({name: getattr(program, name) for name in names})


if __name__ == "__main__":
    asyncio.run(main())
