"""What Telethon's answers tell of users, groups and channels, and how they are looked up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from telethon import utils
from telethon.tl import TLObject, types

from ..belongings import Peer, PeerKey, PeerKind
from ..session import User

#: The longest name that the daemon takes, in bytes.
_NAME = 1_024


def entities_of(tlo: Any) -> Iterator[Any]:
    """The users and chats in an answer, or in a list of them."""
    if not isinstance(tlo, TLObject):
        if utils.is_list_like(tlo):
            yield from tlo
        return
    for single in ("user", "chat"):
        if (entity := getattr(tlo, single, None)) is not None:
            yield entity
    for several in ("users", "chats"):
        entities = getattr(tlo, several, None)
        if entities is not None and utils.is_list_like(entities):
            yield from entities


def own_user(entity: Any, dc: int) -> User | None:
    """Who is logged in, where an entity tells that. Telethon hands its own user's id over as the access hash of user 0, too."""
    if isinstance(entity, types.User) and entity.is_self:
        return User(id=entity.id, dc=dc, bot=bool(entity.bot), username=entity.username)
    if isinstance(entity, types.InputPeerUser) and entity.user_id == 0 and entity.access_hash > 0:
        return User(id=entity.access_hash, dc=dc)
    return None


def peer_of(entity: Any) -> Peer | None:
    """A peer, if its access hash is told and good: not one met only as a part of something else."""
    if not isinstance(entity, TLObject):
        return None
    try:
        given = utils.get_input_peer(entity, allow_self=False)
        id = utils.get_peer_id(given)
    except TypeError:
        return None
    if isinstance(given, types.InputPeerChat):
        access_hash = 0
    elif isinstance(given, (types.InputPeerUser, types.InputPeerChannel)):
        access_hash = given.access_hash
    else:
        return None
    if id == 0:
        return None
    return Peer(
        id=id,
        access_hash=access_hash,
        kind=_kind(entity, given),
        bot=bool(entity.bot) if isinstance(entity, types.User) else None,
        is_self=True if isinstance(entity, types.User) and entity.is_self else None,
        usernames=_usernames(entity),
        phone=_digits(getattr(entity, "phone", None)),
        name=_cut(utils.get_display_name(entity)),
    )


def look_ups(key: Any) -> Iterator[list[PeerKey]]:
    """What to look a peer up by, the likeliest first. A positive number may be the bare id of anything."""
    if isinstance(key, TLObject):
        yield [PeerKey(id=utils.get_peer_id(key))]
    elif isinstance(key, int):
        yield _by_number(key)
    elif isinstance(key, str):
        if phone := utils.parse_phone(key):
            yield [PeerKey(phone=phone)]
        else:
            username, invite = utils.parse_username(key)
            if username and not invite:
                yield [PeerKey(username=username)]
            elif (number := utils.resolve_invite_link(key)[1]) is not None:
                yield _by_number(number)
        yield [PeerKey(peer_name=key)]


def input_peer(peer: Peer) -> Any:
    """A peer as Telethon hands it to Telegram."""
    bare, kind = utils.resolve_id(peer.id)
    if kind is types.PeerUser:
        return types.InputPeerUser(bare, peer.access_hash)
    return (
        types.InputPeerChat(bare)
        if kind is types.PeerChat
        else types.InputPeerChannel(bare, peer.access_hash)
    )


def _kind(entity: Any, given: Any) -> PeerKind:
    if isinstance(given, types.InputPeerUser):
        return PeerKind.USER
    if isinstance(given, types.InputPeerChat):
        return PeerKind.GROUP
    if not isinstance(entity, (types.Channel, types.ChannelForbidden)):
        return PeerKind.CHANNEL_UNKNOWN
    for flag, kind in (
        ("gigagroup", PeerKind.GIGAGROUP),
        ("forum", PeerKind.FORUM),
        ("megagroup", PeerKind.SUPERGROUP),
        ("broadcast", PeerKind.CHANNEL),
    ):
        if getattr(entity, flag, False):
            return kind
    return PeerKind.CHANNEL_UNKNOWN


def _usernames(entity: Any) -> list[str] | None:
    """All by which it is found. ``None``: not told."""
    if not isinstance(entity, (types.User, types.Channel)):
        return None
    names = [entity.username] if entity.username else []
    for other in getattr(entity, "usernames", None) or ():
        if other.active and other.username not in names:
            names.append(other.username)
    return names


def _digits(phone: str | None) -> str | None:
    digits = "".join(digit for digit in phone or "" if digit in "0123456789")
    return digits[:32] or None


def _cut(name: str) -> str | None:
    return name.encode()[:_NAME].decode(errors="ignore") or None


def _by_number(number: int) -> list[PeerKey]:
    # Channels first: to catch up, Telethon asks for them by their bare ids, and takes no user for one.
    if number < 0:
        return [PeerKey(id=number)]
    peers = (types.PeerChannel(number), types.PeerChat(number), types.PeerUser(number))
    return [PeerKey(id=utils.get_peer_id(peer)) for peer in peers] if number else []
