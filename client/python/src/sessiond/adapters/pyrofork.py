"""Pyrofork on sessiond::

from sessiond.adapters.pyrofork import SessiondStorage

storage = SessiondStorage("alice")
app = storage.bind(Client("alice", api_id, api_hash, storage=storage))
"""

from __future__ import annotations

from pyrogram import raw
from pyrogram.storage import Storage

from ._pyrogram import OneCallStorage


class SessiondStorage(OneCallStorage, Storage):  # type: ignore[misc]  # Pyrofork has no types
    __doc__ = OneCallStorage.__doc__
    types = raw.types

    async def remove_state(self, chat_id: int) -> None:
        """Forgets the state of a channel that was left.

        :raises Lost: the hold was lost.
        """
        self.forget_state(chat_id)
