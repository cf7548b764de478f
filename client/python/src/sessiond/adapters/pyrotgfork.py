"""PyroTGFork on sessiond::

from sessiond.adapters.pyrotgfork import SessiondStorage

storage = SessiondStorage("alice")
app = storage.bind(Client("alice", api_id, api_hash, storage_engine=storage))
"""

from __future__ import annotations

from typing import Any

from pyrogram import raw
from pyrogram.storage import Storage

from ._pyrogram import PyrogramStorage


class SessiondStorage(PyrogramStorage, Storage):  # type: ignore[misc]  # PyroTGFork has no types
    __doc__ = PyrogramStorage.__doc__
    types = raw.types

    async def update_state(self, update_state: Any = object) -> Any:
        """All states; or sets one, or forgets that of an id.

        :raises Lost: the hold was lost.
        """
        if update_state is object:
            return self.states()
        if isinstance(update_state, int):
            self.forget_state(update_state)
        else:
            self.set_state(update_state)
        return None
