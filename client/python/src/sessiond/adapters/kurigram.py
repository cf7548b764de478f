"""Kurigram on sessiond::

    from sessiond.adapters.kurigram import SessiondStorage

    storage = SessiondStorage("alice")
    app = storage.bind(Client("alice", api_id, api_hash, storage_engine=storage))

``session_string`` and ``in_memory`` of the client come before its storage: leave them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyrogram import raw
from pyrogram.storage import Storage, UpdateState

from ._pyrogram import PyrogramStorage


class SessiondStorage(PyrogramStorage, Storage):  # type: ignore[misc]  # Kurigram has no types
    __doc__ = PyrogramStorage.__doc__
    types = raw.types

    async def get_update_states(self, ids: int | Iterable[int] | None = None) -> list[Any]:
        """The states of these ids, or all."""
        wanted = None if ids is None else {ids} if isinstance(ids, int) else set(ids)
        return [UpdateState(*state) for state in self.states() if wanted is None or state[0] in wanted]

    async def set_update_state(self, update_state: Any) -> None:
        """Sets what is not ``None`` of one state or several.

        :raises Lost: the hold was lost.
        """
        for state in [update_state] if isinstance(update_state, UpdateState) else update_state:
            self.set_state((state.id, state.pts, state.qts, state.date, state.seq))

    async def delete_update_state(self, state_id: int | Iterable[int]) -> None:
        """Forgets states.

        :raises Lost: the hold was lost.
        """
        for id in [state_id] if isinstance(state_id, int) else state_id:
            self.forget_state(id)
