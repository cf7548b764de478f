"""Telethon v1 (1.42 and later) on sessiond::

    from sessiond.adapters.telethon import SessiondSession

    session = SessiondSession("alice")
    client = session.bind(TelegramClient(session, api_id, api_hash))

The session is held from ``connect()`` to ``disconnect()``.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, Protocol, TypeVar

from telethon.crypto import AuthKey
from telethon.sessions import MemorySession
from telethon.tl import types

from .. import errors
from ..belongings import Attribute
from ..daemon import LostReason
from ..session import ChannelState, Session, StateChange, User
from ._home import Home
from ._outbox import log
from ._telethon_entities import entities_of, input_peer, look_ups, own_user, peer_of
from ._tenure import Tenure, Terms, delete_after

#: How long Telethon waits for the daemon to have what it saves, in seconds, before it goes on. What waits is written later.
_PATIENCE = 5.0
_TAKEOUT = "takeout_id"
_FILES = "telethon.file/"

# Telethon says so whenever it awaits a session, and there is nothing that a program could do about it.
warnings.filterwarnings("ignore", "Using async sessions support is an experimental feature", UserWarning)


class Disconnecting(Protocol):
    """A ``TelegramClient``."""

    def disconnect(self) -> Any: ...


C = TypeVar("C", bound=Disconnecting)


class SessiondSession(MemorySession):  # type: ignore[misc]  # Telethon has no types
    """A session of Telethon v1 that lives in sessiond.

    ``connect()`` takes it for this process alone, and ``disconnect()`` lets it go; both may be done again and again. If another
    process holds it, ``connect()`` waits in line while the event loop goes on, or raises :class:`HeldByAnother` with
    ``wait=False``. Nothing is read or written, and no daemon is needed, before ``connect()``.

    ``on_lost`` is called when the hold is lost, because an operator ended it, say; if it gives an awaitable, that runs as a
    task. :meth:`bind` disconnects the client then. One of the two is needed: Telethon does not ask its session before it uses a
    connection that it has.

    ``require_login`` makes ``connect()`` raise :class:`LoggedOut` for a session without a key, where ``start()`` would ask for a
    phone number; ``None``: if it was waited for.
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
        super().__init__()
        self._terms = Terms(
            name=name, socket=socket, wait=wait, label=label, require_login=require_login, on_lost=on_lost
        )
        self._client: Disconnecting | None = None
        # The client takes this very object when it is made, before there is a key, and keeps it.
        self._lent_key = _LentKey()
        self._auth_key: AuthKey | None = self._lent_key
        self._tenure: Tenure | None = None
        self._ended: Tenure | None = None
        self._user: User | None = None
        self._home: Home | None = None
        self._logged_out = False
        # Files that were sent, by the keys of their attributes.
        self._sent_files: dict[str, tuple[int, int]] = {}

    def bind(self, client: C) -> C:
        """Disconnects the client when the hold is lost. Gives the client."""
        self._client = client
        return client

    # What Telethon calls before it connects, and where it saves

    async def set_dc(self, dc_id: int, server_address: str, port: int) -> None:
        """Opens the session, if it is not open; its own data center is used then, and the given one if it has none. Otherwise
        the home data center becomes the given one.

        :raises Error: it could not be held. Nothing was connected.
        """
        if self._tenure is None:
            await self._open(dc_id, server_address, port)
        else:
            super().set_dc(dc_id, server_address, port)

    async def save(self) -> None:
        """Writes what is new, and waits for it, but not for long if no daemon answers.

        :raises Error: the key or the user was refused for good.
        """
        if self._tenure is None or self._tenure.hold.lost is not None:
            return
        self._write_home(self._tenure)
        await self._tenure.outbox.flush(_PATIENCE)

    async def close(self) -> None:
        """Writes what is new, and lets the session go, at once; after a log-out, it is deleted first."""
        if self._tenure is None:
            return
        tenure, self._tenure = self._tenure, None
        if not self._logged_out:
            self._write_home(tenure)
        self._forget()
        self._ended = tenure
        if not self._logged_out:
            await tenure.end()
            return
        try:
            await tenure.delete()
        except errors.Error as error:
            log.error("session %r: logged out, but not deleted: %s", self._terms.name, error)

    async def delete(self) -> bool:
        """Deletes the session. ``False``: another client has held it since this one let it go."""
        if self._tenure is not None:
            self._logged_out = True
            await self.close()
        elif self._ended is not None and not self._logged_out:
            try:
                await delete_after(self._terms, self._ended.hold)
            except errors.Fenced:
                return False
        return True

    def clone(self, to_instance: Any = None) -> Any:
        """A session in memory, for a connection to a data center of files."""
        return to_instance or MemorySession()

    # Keys and the takeout

    @property
    def auth_key(self) -> AuthKey | None:
        """The key of the home data center."""
        return self._auth_key

    @auth_key.setter
    def auth_key(self, value: AuthKey | None) -> None:
        # Telethon forgets the key of the data center that it leaves. sessiond does not.
        self._auth_key = value

    @property
    def takeout_id(self) -> int | None:
        """The takeout that is under way."""
        return self._takeout_id

    @takeout_id.setter
    def takeout_id(self, value: int | None) -> None:
        if self._tenure is not None and value is None:
            self._tenure.outbox.delete_attribute(_TAKEOUT)
        elif self._tenure is not None:
            self._tenure.outbox.put_attribute(Attribute(_TAKEOUT, struct.pack("<q", value)))
        self._takeout_id = value

    # Update states

    def set_update_state(self, entity_id: int, state: Any) -> None:
        """Sets the counters of the account, or of a channel by its bare id. Zero is not a counter that was seen, and Telethon
        knows no date then either."""
        super().set_update_state(entity_id, state)
        if self._tenure is None or not state.pts:
            return
        if entity_id:
            change = StateChange(channels=[ChannelState(entity_id, state.pts)])
        else:
            date = int(state.date.timestamp()) if state.date else 0
            change = StateChange(
                pts=state.pts, qts=state.qts or None, date=max(date, 0) or None, seq=state.seq or None
            )
        self._tenure.outbox.advance(change)

    # Peers

    def process_entities(self, tlo: Any) -> None:
        """Takes note of the users, groups and channels in an answer, of who is logged in, and of a log-out.

        :raises Lost: the hold was lost. What was asked of Telegram went through.
        """
        if self._tenure is None:
            return
        outbox = self._tenure.outbox
        if isinstance(tlo, types.auth.LoggedOut):
            self._logged_out = True
        queued = False
        for entity in entities_of(tlo):
            if (user := own_user(entity, self._dc_id)) is not None:
                self._note_user(self._tenure, user)
            if (peer := peer_of(entity)) is not None:
                outbox.peers.put(peer)
                queued = True
        if not outbox.peers.is_empty():
            outbox.wake()
        if queued or isinstance(tlo, types.auth.LoggedOut):
            outbox.check()

    async def get_input_entity(self, key: Any) -> Any:
        """The peer that an id, a username, a phone number or a name leads to.

        :raises ValueError: none is known by it.
        :raises Lost: the hold was lost.
        """
        try:
            # What needs no look-up. There is nothing in memory, so everything else is not found.
            return super().get_input_entity(key)
        except ValueError:
            if self._tenure is None:
                raise
        if key == 0 and self._user is not None:
            return types.InputPeerUser(0, self._user.id)
        self._tenure.outbox.check()
        for keys in look_ups(key):
            if (peer := await self._tenure.outbox.peers.find(*keys)) is not None:
                return input_peer(peer)
        raise ValueError("no peer is known by this key: it was not met yet")

    # Files that were sent

    def cache_file(self, md5_digest: bytes, file_size: int, instance: Any) -> None:
        """Keeps where a sent document or photo is."""
        if not isinstance(instance, (types.InputDocument, types.InputPhoto)):
            raise TypeError(f"neither an InputDocument nor an InputPhoto: {type(instance).__name__}")
        key = _file_key(md5_digest, file_size, type(instance))
        self._sent_files[key] = (instance.id, instance.access_hash)
        if self._tenure is not None:
            self._tenure.outbox.put_attribute(
                Attribute(key, struct.pack("<qq", instance.id, instance.access_hash))
            )

    def get_file(self, md5_digest: bytes, file_size: int, cls: Any) -> Any:
        """The sent document or photo, or ``None``."""
        found = self._sent_files.get(_file_key(md5_digest, file_size, cls))
        # Telegram gives a new reference for an old one.
        return None if found is None else cls(*found, file_reference=b"")

    # Opening and closing

    async def _open(self, dc_id: int, server_address: str, port: int) -> None:
        tenure = await Tenure.begin(self._terms, self._disconnect)
        try:
            kept = [attribute async for attribute in tenure.hold.list_attributes(_FILES)]
            kept += await tenure.hold.attributes([_TAKEOUT])
        except BaseException:
            await tenure.end()
            raise
        self._tenure, self._ended, self._logged_out = tenure, None, False
        session = tenure.session
        home = Home.of(session, ipv6=":" in server_address)
        if session == Session() or home.address is None:
            home = Home(dc=dc_id, address=server_address, port=port)
        super().set_dc(home.dc, home.address, home.port)
        self._lent_key.fill(home.auth)
        self._auth_key = self._lent_key
        self._home = None if session == Session() else home
        self._user = session.user
        self._update_states = dict(_states_of(session))
        self._read(kept)

    def _read(self, kept: list[Attribute]) -> None:
        for attribute in kept:
            value = attribute.value or b""
            if attribute.key == _TAKEOUT and len(value) == 8:
                (self._takeout_id,) = struct.unpack("<q", value)
            elif attribute.key.startswith(_FILES) and len(value) == 16:
                self._sent_files[attribute.key] = struct.unpack("<qq", value)

    def _forget(self) -> None:
        """Without an address, the next ``connect()`` opens the session again."""
        super().set_dc(0, None, None)
        self._lent_key.take_back()
        self._auth_key = self._lent_key
        self._takeout_id = None
        self._sent_files = {}
        self._update_states = {}
        self._user = None

    def _disconnect(self) -> object:
        return None if self._client is None else self._client.disconnect()

    # Writing

    def _write_home(self, tenure: Tenure) -> None:
        key = self._auth_key.key if self._auth_key else None
        home = Home(dc=self._dc_id, address=self._server_address, port=self._port, auth=key)
        if home == self._home:
            return
        session = home.session()
        if self._user is not None and self._user.dc != home.dc:
            session.user = self._user = User(id=self._user.id, dc=home.dc)
        self._home = home
        tenure.outbox.merge(session)

    def _note_user(self, tenure: Tenure, user: User) -> None:
        known = self._user
        if known is not None and known.id == user.id:
            user.bot = known.bot if user.bot is None else user.bot
            user.username = known.username if user.username is None else user.username
        if user == known:
            return
        if known is not None and known.id != user.id:
            tenure.outbox.forget_peers()
        self._user = user
        tenure.outbox.merge(Session(user=user, home_dc=user.dc))


class _LentKey(AuthKey):  # type: ignore[misc]
    """A key that Telethon is lent before it is known: until then it takes it for one, so that it makes none of its own."""

    def __init__(self) -> None:
        self._pending = True
        super().__init__(None)

    @property
    def key(self) -> bytes | None:
        """The key itself. A secret."""
        return self._key  # type: ignore[no-any-return]

    @key.setter
    def key(self, value: bytes | AuthKey | None) -> None:
        # Telethon sets a new key as another object of its own class, which it would not know from bytes here.
        AuthKey.key.fset(self, value.key if isinstance(value, AuthKey) else value)

    def fill(self, key: bytes | None) -> None:
        """The session was opened: this is its key, or there is none."""
        self._pending = False
        self.key = key

    def take_back(self) -> None:
        """The session was closed."""
        self._pending = True
        self.key = None

    def __bool__(self) -> bool:
        return self._pending or super().__bool__()

    def __repr__(self) -> str:
        return "<AuthKey>"


def _states_of(session: Session) -> Iterator[tuple[int, Any]]:
    state = session.state
    if state is None:
        return
    if state.pts or state.qts or state.date or state.seq:
        date = datetime.fromtimestamp(state.date, timezone.utc)
        yield 0, types.updates.State(state.pts, state.qts, date, state.seq, unread_count=0)
    for channel in state.channels:
        date = datetime.fromtimestamp(state.date, timezone.utc)
        yield channel.id, types.updates.State(channel.pts, 0, date, 0, unread_count=0)


def _file_key(md5_digest: bytes, file_size: int, cls: Any) -> str:
    if cls not in (types.InputDocument, types.InputPhoto):
        raise ValueError(f"neither an InputDocument nor an InputPhoto: {cls}")
    return f"{_FILES}{md5_digest.hex()}.{file_size}.{int(cls is types.InputPhoto)}"
