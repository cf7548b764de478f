"""What is kept beside a session, for its holder alone: peers and attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class PeerKind(Enum):
    """What a peer is."""

    USER = "USER"
    """A user or a bot."""
    GROUP = "GROUP"
    """A basic group."""
    CHANNEL = "CHANNEL"
    """A channel in which its owners speak."""
    SUPERGROUP = "SUPERGROUP"
    """A channel in which its members speak."""
    GIGAGROUP = "GIGAGROUP"
    """A supergroup without a limit on members, in which admins speak."""
    FORUM = "FORUM"
    """A supergroup with topics."""
    DIRECT = "DIRECT"
    """The direct messages of a channel."""
    COMMUNITY = "COMMUNITY"
    """A community of groups and channels."""
    CHANNEL_UNKNOWN = "CHANNEL_UNKNOWN"
    """A channel of any of these kinds."""


@dataclass(slots=True, kw_only=True)
class Peer:
    """A user, group or channel that the account met.

    ``None`` is not known; put over what is stored, it keeps that. The ``repr`` shows the id and the kind alone: access
    hashes are secret, and names and phone numbers are nobody else's business.
    """

    #: Marked id, not 0: a user's as it is, a basic group's negative, a channel's as -(10^12 + id).
    id: int
    #: What proves to Telegram that the account met the peer. A secret. 0 is a value: basic groups need none.
    access_hash: int | None = field(default=None, repr=False)
    #: What it is.
    kind: PeerKind | None = None
    #: Whether it is a bot.
    bot: bool | None = field(default=None, repr=False)
    #: Whether it is the account itself. At most one of a session's peers is.
    is_self: bool | None = field(default=None, repr=False)
    #: Whether the library has met it only as a part of something else (https://core.telegram.org/api/min).
    min: bool | None = field(default=None, repr=False)
    #: Its usernames without ``@``, the primary one first, at most 100. Put empty, they are forgotten.
    usernames: list[str] | None = field(default=None, repr=False)
    #: Its phone number, at most 32 digits and nothing else. Put empty, it is forgotten.
    phone: str | None = field(default=None, repr=False)
    #: The name that people see, at most 1,024 bytes. Put empty, it is forgotten.
    name: str | None = field(default=None, repr=False)
    #: When it was last seen, in Unix seconds. Put as ``None``: now.
    seen: int | None = field(default=None, repr=False)
    #: What single libraries keep of it, by keys that begin with the library's name and a dot. Merged by key; an empty
    #: value deletes one. At most 64 KiB together.
    extra: dict[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKey:
    """What a peer is looked up by: exactly one of these. Of several that have it, the one that was seen last is meant."""

    #: Its marked id.
    id: int | None = None
    #: One of its usernames, without ``@``, in any case. Peers known only as ``min`` are not found by it.
    username: str | None = field(default=None, repr=False)
    #: Its phone number, digits alone. Peers known only as ``min`` are not found by it.
    phone: str | None = field(default=None, repr=False)
    #: The name that people see, exactly.
    peer_name: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        given = [key for key in (self.id, self.username, self.phone, self.peer_name) if key is not None]
        if len(given) != 1:
            raise ValueError("a peer is looked up by one of id, username, phone and peer_name")


@dataclass(slots=True)
class Attribute:
    """A value under a key. docs/attributes.md has the keys that libraries share."""

    #: 1 to 256 bytes of printable ASCII.
    key: str
    #: At most 64 KiB. ``None``: there is one that was not asked for.
    value: bytes | None = field(repr=False)
    #: Whether the value is as secret as an authorization key. One that is secret stays so: delete it first.
    secret: bool = False

    @property
    def has_value(self) -> bool:
        """Whether there is a value, told here or not."""
        return self.value is None or bool(self.value)


@dataclass(frozen=True, slots=True)
class Kept:
    """What writing peers or attributes came to."""

    #: The store's revision after it. No session's revision moves. 0: there was nothing to send.
    revision: int
    #: How many of them changed, or were deleted.
    changed: int
