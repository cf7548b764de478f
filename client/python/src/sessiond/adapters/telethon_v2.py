"""Telethon v2 on sessiond::

    from sessiond.adapters.telethon_v2 import SessiondStorage

    storage = SessiondStorage("alice")
    client = storage.bind(Client(storage, api_id, api_hash))

The session is held from ``connect()`` to ``disconnect()``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from telethon.session import ChannelState, DataCenter, Session, Storage, UpdateState, User

from .. import session as kept
from ..daemon import LostReason
from ._home import usual_address
from ._tenure import Tenure, Terms


class Disconnecting(Protocol):
    """A ``Client``."""

    def disconnect(self) -> Any: ...


C = TypeVar("C", bound=Disconnecting)


class SessiondStorage(Storage):  # type: ignore[misc]  # not on PyPI, so its types are not known here
    """A session of Telethon v2 that lives in sessiond.

    ``load()`` takes it for this process alone, and ``close()`` lets it go. If another process holds it, ``connect()`` waits in
    line while the event loop goes on, or raises :class:`HeldByAnother` with ``wait=False``. With a version of Telethon v2 that
    has no ``close()`` yet, the program calls it after ``disconnect()``.

    ``on_lost`` is called when the hold is lost; if it gives an awaitable, that runs as a task. :meth:`bind` disconnects the
    client then. One of the two is needed: Telethon does not ask its storage while it is connected.

    ``require_login`` makes ``connect()`` raise :class:`LoggedOut` for a session without a key; ``None``: if it was waited for.
    """

    def __init__(
        self,
        name: str,
        *,
        socket: str | os.PathLike[str] | None = None,
        wait: bool = True,
        label: str = "telethon",
        require_login: bool | None = None,
        on_lost: Callable[[LostReason], object] | None = None,
    ) -> None:
        self._terms = Terms(
            name=name, socket=socket, wait=wait, label=label, require_login=require_login, on_lost=on_lost
        )
        self._client: Disconnecting | None = None
        self._tenure: Tenure | None = None
        # Who the library knows to be logged in.
        self._user: kept.User | None = None

    def bind(self, client: C) -> C:
        """Disconnects the client when the hold is lost. Gives the client."""
        self._client = client
        return client

    async def load(self) -> Session | None:
        """Takes the session, and reads it. ``None``: there is none.

        :raises Error: it could not be held.
        """
        tenure = await self._held()
        loaded = await tenure.hold.load()
        if loaded.session is None:
            return None
        self._user = loaded.session.user
        return _theirs(loaded.session)

    async def save(self, session: Session) -> None:
        """Adds what the library knows to what is stored: it drops keys and counters that others still need. Without a user
        where there was one, it has logged out: the user, the state and the key are forgotten. Durable when it returns.

        :raises RuntimeError: the session is not held, because ``load()`` failed, say.
        :raises Lost: the hold was lost.
        :raises Error: it was refused, or no daemon answered.
        """
        # Of a session that was never loaded the library knows nothing, and to save that would be to log out.
        if (tenure := self._tenure) is None:
            raise RuntimeError(f"session {self._terms.name!r} is not held: load() takes it")
        ours = _ours(session)
        clear = None
        if ours.user is None and self._user is not None:
            clear = kept.Clear(user=True, state=True, auth_dcs=[self._user.dc])
            for dc in ours.dcs:
                dc.auth = None
        await tenure.hold.merge(ours, clear=clear)
        if ours.user is not None and self._user is not None and ours.user.id != self._user.id:
            await tenure.hold.delete_all_peers()
        self._user = ours.user

    async def close(self) -> None:
        """Lets the session go. ``load()`` takes it again."""
        if self._tenure is not None:
            tenure, self._tenure, self._user = self._tenure, None, None
            await tenure.end()

    async def delete(self) -> None:
        """Deletes the session. It goes on being held until ``close()``.

        :raises Error: it could not be deleted.
        """
        tenure = await self._held()
        await tenure.hold.delete()
        self._user = None

    async def _held(self) -> Tenure:
        if self._tenure is None:
            self._tenure = await Tenure.begin(self._terms, self._disconnect)
        return self._tenure

    def _disconnect(self) -> object:
        return None if self._client is None else self._client.disconnect()


def _theirs(session: kept.Session) -> Session:
    user, state = session.user, session.state
    return Session(
        dcs=[
            DataCenter(
                id=dc.id,
                ipv4_addr=dc.ipv4_addr or usual_address(dc.id, session.test_mode is True),
                ipv6_addr=dc.ipv6_addr,
                auth=dc.auth,
            )
            for dc in session.dcs
        ],
        # The library asks Telegram for the rest when it connects.
        user=None
        if user is None
        else User(id=user.id, dc=user.dc, bot=bool(user.bot), username=user.username),
        state=None
        if state is None
        else UpdateState(
            pts=state.pts,
            qts=state.qts,
            date=state.date,
            seq=state.seq,
            channels=[ChannelState(id=channel.id, pts=channel.pts) for channel in state.channels],
        ),
    )


def _ours(session: Session) -> kept.Session:
    user, state = session.user, session.state
    return kept.Session(
        dcs=[
            kept.DataCenter(id=dc.id, ipv4_addr=dc.ipv4_addr, ipv6_addr=dc.ipv6_addr, auth=dc.auth or None)
            for dc in session.dcs
        ],
        user=None
        if user is None
        else kept.User(id=user.id, dc=user.dc, bot=user.bot, username=user.username),
        state=None
        if state is None
        else kept.UpdateState(
            pts=state.pts,
            qts=state.qts,
            date=state.date,
            seq=state.seq,
            channels=[kept.ChannelState(channel.id, channel.pts) for channel in state.channels],
        ),
    )
