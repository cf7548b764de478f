"""What Pyrogram's forks have in common: a storage of single values, peers and update states."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, TypeVar

from ..belongings import Attribute, Peer, PeerKey, PeerKind
from ..daemon import LostReason
from ..session import ChannelState, Session, StateChange, User
from . import UnknownUser
from ._home import Home
from ._tenure import Leave, Tenure, Terms, delete_after

#: How long a library waits for the daemon to have what it saves, in seconds, before it goes on. What waits is written later.
_PATIENCE = 5.0
#: Usernames change hands: one that was seen longer ago, in seconds, is asked for again. The forks' own rule.
_USERNAME_TTL = 8 * 60 * 60
#: Marked ids of channels are below this one.
_CHANNELS_BELOW = -1_000_000_000_000
_API_ID = "api_id"
_CREATED = "created"

_KINDS = {
    "user": PeerKind.USER,
    "bot": PeerKind.USER,
    "group": PeerKind.GROUP,
    "channel": PeerKind.CHANNEL,
    "supergroup": PeerKind.SUPERGROUP,
    "forum": PeerKind.FORUM,
    "direct": PeerKind.DIRECT,
    "community": PeerKind.COMMUNITY,
}


class Stopping(Protocol):
    """A ``Client``."""

    def stop(self) -> Any: ...


C = TypeVar("C", bound=Stopping)
#: A state as the forks have it: id, pts, qts, date and seq. The id is 0 for the account, else a channel's marked one.
State = tuple[int, int | None, int | None, int | None, int | None]


class PyrogramStorage:
    """A session of a Pyrogram fork that lives in sessiond.

    ``start()`` takes it for this process alone, and ``stop()`` lets it go. If another process holds it, ``start()`` waits in
    line while the event loop goes on, or raises :class:`HeldByAnother` with ``wait=False``. ``restart()`` lets the session go in
    between, to the next in line.

    ``on_lost`` is called when the hold is lost, because an operator ended it, say; if it gives an awaitable, that runs as a
    task. :meth:`bind` stops the client then. One of the two is needed: the library does not ask its storage before it uses a
    connection that it has.

    ``require_login`` makes ``start()`` raise :class:`LoggedOut` for a session without a key, where the library would ask for a
    phone number; ``None``: if it was waited for. A session with a key that does not tell whose it is is refused with
    :class:`UnknownUser`: the library would write a new key over it.

    A new session is stored when it is known who logged in: the library never uses a key before that again.
    """

    #: The fork's ``raw.types``.
    types: ClassVar[Any]

    def __init__(
        self,
        name: str,
        *,
        socket: str | os.PathLike[str] | None = None,
        wait: bool = True,
        label: str = "pyrogram",
        require_login: bool | None = None,
        on_lost: Callable[[LostReason], object] | None = None,
    ) -> None:
        self.name = name
        self._terms = Terms(
            name=name, socket=socket, wait=wait, label=label, require_login=require_login, on_lost=on_lost
        )
        self._client: Stopping | None = None
        self._tenure: Tenure | None = None
        self._leave: Leave | None = None
        self._left: Tenure | None = None
        self._values: dict[str, Any] = {}
        self._states: dict[int, State] = {}
        # What is stored, as far as it is known here.
        self._stored: Session | None = None
        self._user: User | None = None

    def bind(self, client: C) -> C:
        """Stops the client when the hold is lost. Gives the client."""
        self._client = client
        return client

    # Opening and closing

    async def open(self) -> None:
        """Takes the session, and reads it. One that is open stays so: the library opens it again after it failed to connect.

        :raises UnknownUser: it has a key, and does not tell whose it is.
        :raises Error: it could not be held.
        """
        if self._leave is not None:
            await self._leave.over()
        if self._tenure is not None:
            return
        tenure = await Tenure.begin(self._terms, self._stop)
        try:
            session = tenure.session
            if Home.of(session).auth and (session.user is None or session.user.bot is None):
                raise UnknownUser(self.name)
            kept = await tenure.hold.attributes([_API_ID, _CREATED])
        except BaseException:
            await tenure.end()
            raise
        self._tenure, self._leave = tenure, None
        self._read(session, {attribute.key: attribute.value or b"" for attribute in kept})

    async def save(self) -> None:
        """Waits until what is new is written, but not for long if no daemon answers.

        :raises Error: who logged in, or the key, was refused for good.
        """
        if self._tenure is not None:
            await self._tenure.outbox.flush(_PATIENCE)

    async def close(self) -> None:
        """Writes what is new, and lets the session go."""
        if self._tenure is None:
            return
        tenure, self._tenure = self._tenure, None
        await tenure.settle()
        self._left, self._leave = tenure, Leave(tenure)

    async def delete(self) -> None:
        """Deletes the session: to log out, the library closes it and deletes it.

        :raises Fenced: it was let go before, and another client has held it since.
        :raises Error: it could not be deleted.
        """
        await self.close()
        if self._leave is not None and await self._leave.delete():
            return
        if self._left is not None:
            await delete_after(self._terms, self._left.hold)

    # Peers

    async def update_peers(self, peers: Iterable[tuple[Any, ...]]) -> None:
        """Takes note of peers: id, access hash, type, usernames where the fork tells them here, phone number.

        :raises Lost: the hold was lost.
        """
        for id, access_hash, kind, *usernames, phone in peers:
            self._put(
                Peer(
                    id=id,
                    access_hash=access_hash,
                    kind=_KINDS.get(kind, PeerKind.CHANNEL_UNKNOWN),
                    bot=kind == "bot" if kind in ("bot", "user") else None,
                    usernames=_names(usernames[0]) if usernames else None,
                    phone=_digits(phone) or None,
                )
            )

    async def update_usernames(self, usernames: Iterable[tuple[int, Any]]) -> None:
        """Takes note of all usernames of peers.

        :raises Lost: the hold was lost.
        """
        names: dict[int, list[str]] = {}
        for id, some in usernames:
            names.setdefault(id, []).extend(_names(some))
        for id, all_of_them in names.items():
            self._put(Peer(id=id, usernames=all_of_them))

    async def get_peer_by_id(self, peer_id: int) -> Any:
        """:raises KeyError: no such peer was met. Some forks ask for a username first as if it were an id."""
        if not isinstance(peer_id, int):
            raise KeyError("this is no peer's id")
        return self._input_peer(await self._found(PeerKey(id=peer_id)))

    async def get_peer_by_username(self, username: str) -> Any:
        """:raises KeyError: no such peer was met lately."""
        peer = await self._found(PeerKey(username=username))
        if peer.seen is not None and time.time() - peer.seen > _USERNAME_TTL:
            raise KeyError("the peer with this username was met too long ago")
        return self._input_peer(peer)

    async def get_peer_by_phone_number(self, phone_number: str) -> Any:
        """:raises KeyError: no such peer was met."""
        return self._input_peer(await self._found(PeerKey(phone=_digits(phone_number))))

    # Single values. The class `object` stands for no value: `None` is one.

    async def dc_id(self, value: Any = object) -> Any:
        if value is not object and value != self._values["dc_id"]:
            # What was said of another data center.
            self._values.update(server_address=None, port=None, auth_key=None)
        return self._accessed("dc_id", value)

    async def server_address(self, value: Any = object) -> Any:
        if value is object and not self._values["server_address"]:
            return self._usual_home().address
        return self._accessed("server_address", value)

    async def port(self, value: Any = object) -> Any:
        if value is object and not self._values["port"]:
            return self._usual_home().port
        return self._accessed("port", value)

    async def api_id(self, value: Any = object) -> Any:
        return self._accessed("api_id", value)

    async def test_mode(self, value: Any = object) -> Any:
        return self._accessed("test_mode", value)

    async def auth_key(self, value: Any = object) -> Any:
        return self._accessed("auth_key", value)

    async def date(self, value: Any = object) -> Any:
        return self._accessed("date", value)

    async def user_id(self, value: Any = object) -> Any:
        return self._accessed("user_id", value)

    async def is_bot(self, value: Any = object) -> Any:
        return self._accessed("is_bot", value)

    # For the forks

    def states(self) -> list[State]:
        """The states, the account's first."""
        return [self._states[id] for id in sorted(self._states, reverse=True)]

    def set_state(self, state: State) -> None:
        """Sets what is not ``None``. Zero is not a counter that was seen.

        :raises Lost: the hold was lost.
        """
        id, pts, qts, date, seq = state
        if id < _CHANNELS_BELOW:
            change = StateChange(channels=[ChannelState(_CHANNELS_BELOW - id, pts)] if pts else [])
        else:
            change = StateChange(pts=pts or None, qts=qts or None, date=date or None, seq=seq or None)
        before = self._states.get(id, (id, None, None, None, None))
        merged = [old if new is None else new for old, new in zip(before, state, strict=True)]
        self._states[id] = (id, *merged[1:])  # type: ignore[assignment]
        if change != StateChange():
            self._advance(change)

    def forget_state(self, id: int) -> None:
        """Forgets a state. The account's own takes no channel's with it.

        :raises Lost: the hold was lost.
        """
        if self._states.pop(id, None) is None:
            return
        if id < _CHANNELS_BELOW:
            self._advance(StateChange(removed_channels=[_CHANNELS_BELOW - id]))
        else:
            self._advance(StateChange(pts=0, qts=0, date=0, seq=0))

    # Reading and writing

    def _read(self, session: Session, attributes: dict[str, bytes]) -> None:
        home = Home.of(session)
        known = session.dc(home.dc)
        self._stored, self._user = session, session.user
        self._values = {
            "dc_id": home.dc,
            "server_address": home.address if known and (known.ipv4_addr or known.ipv6_addr) else None,
            "port": home.port if known and (known.ipv4_addr or known.ipv6_addr) else None,
            "test_mode": bool(session.test_mode) if home.auth else session.test_mode,
            "auth_key": home.auth,
            "user_id": session.user.id if session.user else None,
            "is_bot": session.user.bot if session.user else None,
            "api_id": _number(attributes.get(_API_ID)),
            "date": _number(attributes.get(_CREATED)) or 0,
        }
        self._states = {}
        if (state := session.state) is None:
            return
        if state.pts or state.qts or state.date or state.seq:
            self._states[0] = (0, state.pts, state.qts, state.date, state.seq)
        for channel in state.channels:
            id = _CHANNELS_BELOW - channel.id
            self._states[id] = (id, channel.pts, None, state.date, None)

    def _accessed(self, name: str, value: Any) -> Any:
        if value is object:
            return self._values[name]
        self._values[name] = value
        if name not in ("api_id", "date"):
            self._write_login()
        elif name == "api_id" and self._user is not None:
            self._write_attributes()
        return None

    def _write_login(self) -> None:
        """Writes who is logged in, and with what key, when all of that is known."""
        values = self._values
        if self._tenure is None or None in (values["auth_key"], values["user_id"], values["is_bot"]):
            return
        self._tenure.outbox.check()
        home = Home(
            dc=values["dc_id"],
            address=values["server_address"],
            port=values["port"],
            auth=values["auth_key"],
        )
        session = home.session()
        session.user = User(id=values["user_id"], dc=home.dc, bot=bool(values["is_bot"]))
        session.test_mode = bool(values["test_mode"])
        if session == self._stored:
            return
        new = self._user is None
        if not new and self._user is not None and self._user.id != session.user.id:
            self._tenure.outbox.forget_peers()
        self._stored, self._user = session, session.user
        self._tenure.outbox.merge(session)
        if new:
            self._values["date"] = self._values["date"] or int(time.time())
            self._write_attributes()

    def _write_attributes(self) -> None:
        assert self._tenure is not None, "only what is open is written"
        for key, value in ((_API_ID, self._values["api_id"]), (_CREATED, self._values["date"])):
            if value:
                self._tenure.outbox.put_attribute(Attribute(key, struct.pack("<q", value)))

    def _advance(self, change: StateChange) -> None:
        if self._tenure is not None:
            self._tenure.outbox.check()
            self._tenure.outbox.advance(change)

    def _put(self, peer: Peer) -> None:
        if self._tenure is not None:
            self._tenure.outbox.check()
            self._tenure.outbox.peers.put(peer)
            self._tenure.outbox.wake()

    async def _found(self, key: PeerKey) -> Peer:
        if self._tenure is not None:
            self._tenure.outbox.check()
            if (peer := await self._tenure.outbox.peers.find(key)) is not None:
                return peer
        raise KeyError("no peer is known by this key: it was not met yet")

    def _usual_home(self) -> Home:
        return Home.of(Session(home_dc=self._values["dc_id"], test_mode=self._values["test_mode"]))

    def _input_peer(self, peer: Peer) -> Any:
        if peer.id > 0:
            return self.types.InputPeerUser(user_id=peer.id, access_hash=peer.access_hash)
        if peer.id > _CHANNELS_BELOW:
            return self.types.InputPeerChat(chat_id=-peer.id)
        return self.types.InputPeerChannel(channel_id=_CHANNELS_BELOW - peer.id, access_hash=peer.access_hash)

    def _stop(self) -> object:
        return None if self._client is None else self._client.stop()


class OneCallStorage(PyrogramStorage):
    __doc__ = PyrogramStorage.__doc__

    async def update_state(self, value: Any = object) -> Any:
        """All states; or sets one, or forgets that of an id: the one call that PyroTGFork and Pyrofork have for it.

        :raises Lost: the hold was lost.
        """
        if value is object:
            return self.states()
        if isinstance(value, int):
            self.forget_state(value)
        else:
            self.set_state(value)
        return None


def _names(usernames: str | Iterable[str | None] | None) -> list[str]:
    if isinstance(usernames, str):
        return [usernames]
    return [name for name in usernames or () if name]


def _digits(phone: str | None) -> str:
    return "".join(digit for digit in phone or "" if digit in "0123456789")[:32]


def _number(value: bytes | None) -> int | None:
    return struct.unpack("<q", value)[0] if value is not None and len(value) == 8 else None
