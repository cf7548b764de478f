"""A program with Telethon, on a session of its own files or on sessiond: `telethon_worker.py files|sessiond NAME [SOCKET]`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from telethon import TelegramClient
from telethon.sessions import SQLiteSession
from telethon.tl import types
from telethon_server import Telegram
from worker import Patch, serve

from sessiond.adapters.telethon import SessiondSession

ME = types.User(id=868231286072, is_self=True, access_hash=7, first_name="Alice")


class Program:
    """What it does."""

    def __init__(self, session: Any) -> None:
        self.telegram = Telegram(Patch(), ME)
        for byte in (1, 2):
            self.telegram.know(bytes([byte]) * 256)
        self.session = session
        self.client: Any = None

    async def connect(self, wait: str = "wait") -> Any:
        """Connects. Gives the first byte of the key that was used."""
        if isinstance(self.session, SessiondSession):
            object.__setattr__(self.session._terms, "wait", wait == "wait")
        self.client = TelegramClient(self.session, 1, "hash", connection=self.telegram.connection)
        await self.client.connect()
        return self.telegram.keys[self.telegram.key_ids[-1]].key[0]

    async def meet(self, count: str) -> None:
        """Meets users, as in the answer to a request."""
        users = [
            types.User(id=1000 + n, access_hash=n + 1, first_name=f"User {n}") for n in range(int(count))
        ]
        self.session.process_entities(types.contacts.ResolvedPeer(None, [], users))
        await asyncio.sleep(0.1)

    async def known(self, count: str) -> int:
        """How many of them are known."""
        known = 0
        for n in range(int(count)):
            try:
                found = self.session.get_input_entity(1000 + n)
                known += bool(await found if asyncio.iscoroutine(found) else found)
            except ValueError:
                pass
        return known

    async def minute(self) -> None:
        """What Telethon does once a minute."""
        await self.client._save_states_and_entities()
        saved = self.session.save()
        if saved is not None:
            await saved

    async def switch(self) -> None:
        """Moves to another data center."""
        await self.client._switch_dc(4)

    async def disconnect(self) -> None:
        """Disconnects."""
        await self.client.disconnect()


def session_of(kind: str, name: str, socket: str) -> Any:
    if kind == "sessiond":
        return SessiondSession(name, socket=socket, label="worker")
    return SQLiteSession(name)


async def main() -> None:
    program = Program(session_of(*sys.argv[1:4]))
    names = ("connect", "meet", "known", "minute", "switch", "disconnect")
    await serve({name: getattr(program, name) for name in names})


if __name__ == "__main__":
    TelegramClient.__init__.__kwdefaults__["retry_delay"] = 0
    asyncio.run(main())
