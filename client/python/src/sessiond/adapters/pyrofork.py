"""Pyrofork on sessiond::

from sessiond.adapters.pyrofork import SessiondStorage

storage = SessiondStorage("alice")
app = storage.bind(Client("alice", api_id, api_hash, storage=storage))
"""

from __future__ import annotations

from typing import Any

from pyrogram import raw
from pyrogram.storage import Storage

from ._pyrogram import PyrogramStorage


class SessiondStorage(PyrogramStorage, Storage):  # type: ignore[misc]  # Pyrofork has no types
    __doc__ = PyrogramStorage.__doc__
    types = raw.types

    async def update_state(self, value: Any = object) -> Any:
        """All states; or sets one, or forgets that of an id.

        :raises Lost: the hold was lost.
        """
        if value is object:
            return self.states()
        if isinstance(value, int):
            self.forget_state(value)
        else:
            self.set_state(value)
        return None

    async def remove_state(self, chat_id: int) -> None:
        """Forgets the state of a channel that was left.

        :raises Lost: the hold was lost.
        """
        self.forget_state(chat_id)
