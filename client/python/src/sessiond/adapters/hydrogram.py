"""Hydrogram on sessiond::

    from sessiond.adapters.hydrogram import SessiondStorage

    storage = SessiondStorage("alice")
    app = storage.bind(Client("alice", api_id, api_hash, session_storage_engine=storage))

Hydrogram reports no update states.
"""

from __future__ import annotations

from hydrogram import raw
from hydrogram.storage import BaseStorage

from ._pyrogram import PyrogramStorage


class SessiondStorage(PyrogramStorage, BaseStorage):  # type: ignore[misc]
    __doc__ = PyrogramStorage.__doc__
    types = raw.types
