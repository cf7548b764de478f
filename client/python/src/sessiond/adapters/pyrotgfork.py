"""PyroTGFork on sessiond::

from sessiond.adapters.pyrotgfork import SessiondStorage

storage = SessiondStorage("alice")
app = storage.bind(Client("alice", api_id, api_hash, storage_engine=storage))
"""

from __future__ import annotations

from pyrogram import raw
from pyrogram.storage import Storage

from ._pyrogram import OneCallStorage


class SessiondStorage(OneCallStorage, Storage):  # type: ignore[misc]  # PyroTGFork has no types
    __doc__ = OneCallStorage.__doc__
    types = raw.types
