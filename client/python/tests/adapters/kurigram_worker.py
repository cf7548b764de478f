"""A program with Kurigram, on its own files or on sessiond: `kurigram_worker.py files|sessiond FOLDER [SOCKET]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyrogram
from pyrogram_suite import Fork, World
from worker import Patch, serve

from sessiond.adapters.kurigram import SessiondStorage


class Program:
    """What it does."""

    def __init__(self, kind: str, folder: str, socket: str) -> None:
        daemon: Any = SimpleNamespace(socket=socket)
        nobody: Any = None
        fork = Fork(pyrogram, SessiondStorage, "storage_engine")
        self.world = World(fork, daemon, client=nobody, folder=Path(folder))
        self.world.stand_in(Patch())
        if kind == "sessiond":
            self.app = self.world.app(self.world.storage(label="worker"))
        else:
            options = {"bot_token": "1:a", "workdir": folder}
            self.app = pyrogram.Client("alice", api_id=12345, api_hash="hash", **options)

    async def start(self) -> None:
        """Connects, and logs in if it has to."""
        await self.app.start()

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
        states = await self.app.storage.get_update_states(0)
        return states[0].pts if states else None

    async def stop(self) -> None:
        """Disconnects."""
        await self.app.stop()


async def main() -> None:
    program = Program(*sys.argv[1:4])
    await serve({name: getattr(program, name) for name in ("start", "updates", "pts", "stop")})


if __name__ == "__main__":
    asyncio.run(main())
