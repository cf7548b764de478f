"""A program with Telethon on alice, in the daemon of SESSIOND_SOCKET. It writes what it receives until SIGINT.
The tests of client/go/gotd start it, whose Telegram speaks the real protocol."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from telethon import TelegramClient, events
from telethon.tl import types

from sessiond.adapters.telethon import SessiondSession

SAID_OF = {types.UpdateNewMessage: "message", types.UpdateNewChannelMessage: "post"}


async def say(update: Any) -> None:
    """Writes which message it is."""
    if said := SAID_OF.get(type(update)):
        print(said, update.message.id, flush=True)


async def main() -> None:
    session = SessiondSession("alice")
    # One after the other, so that they are written in order.
    client = session.bind(TelegramClient(session, 1, "hash", catch_up=True, sequential_updates=True))
    client.add_event_handler(say, events.Raw)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, client.disconnect)
    await client.connect()
    if not await client.is_user_authorized():
        raise SystemExit("nobody is logged in")
    await client.run_until_disconnected()


asyncio.run(main())
