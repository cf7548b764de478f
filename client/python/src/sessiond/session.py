"""What a session is: plain data with the field names of the schema.

What may be absent is ``None`` where it is; 0 and absent are different things. No ``repr`` of these types shows a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

#: The home data center of a session that names none: where every Telegram library begins.
DEFAULT_DC = 2


@dataclass(slots=True, kw_only=True)
class DataCenter:
    """A data center and the key shared with it."""

    #: Its id, positive.
    id: int
    #: Its IPv4 address, ``ip:port``.
    ipv4_addr: str | None = None
    #: Its IPv6 address, ``ip:port`` without brackets.
    ipv6_addr: str | None = None
    #: The authorization key, 256 bytes. A secret. ``None``: there is none, or it is withheld. Empty counts as ``None``.
    auth: bytes | None = field(default=None, repr=False)
    #: Whether there is a key that was left out because its reader does not hold the session.
    withheld: bool = False

    @property
    def has_auth(self) -> bool:
        """Whether there is a key, told here or withheld."""
        return self.withheld or bool(self.auth)


@dataclass(slots=True, kw_only=True)
class User:
    """Who is logged in."""

    #: User id, positive; greater than 2^31 for recent accounts.
    id: int
    #: Id of the user's home data center, positive.
    dc: int
    #: Whether the user is a bot. ``None``: not known.
    bot: bool | None = None
    #: Primary username, without ``@``, at most 1,024 bytes. ``None``: none, or not known.
    username: str | None = None


@dataclass(slots=True)
class ChannelState:
    """Which updates of one channel were seen."""

    #: Bare channel id, positive: not the marked form that begins with -100.
    id: int
    #: Number of events seen in the channel.
    pts: int


@dataclass(slots=True, kw_only=True)
class UpdateState:
    """Which updates were seen. A zero counter means that none was seen."""

    #: Number of events seen in the common message box.
    pts: int = 0
    #: Number of events seen in the secondary message box.
    qts: int = 0
    #: Date of the latest update seen, in Unix seconds.
    date: int = 0
    #: Number of the latest update container seen.
    seq: int = 0
    #: The channels' own counters, at most 100,000, each id once. The daemon tells them by ascending id.
    channels: list[ChannelState] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Session:
    """Everything a program needs to go on being logged in to Telegram. Whoever has it has the account."""

    #: The data centers known, at most 64, each id once. The daemon tells them by ascending id.
    dcs: list[DataCenter] = field(default_factory=list)
    #: Who is logged in. ``None``: nobody, or not known.
    user: User | None = None
    #: Which updates were seen. ``None``: none were.
    state: UpdateState | None = None
    #: Id of the home data center, where it is known apart from the user's; see :meth:`home_dc_id`.
    home_dc: int | None = None
    #: Whether the data centers are Telegram's test servers. ``None``: not known, taken as production.
    test_mode: bool | None = None
    #: Version of these types' meaning.
    version: int = 1

    def dc(self, id: int) -> DataCenter | None:
        """The data center of this id."""
        return next((dc for dc in self.dcs if dc.id == id), None)

    def home_dc_id(self) -> int:
        """The home data center: ``home_dc``, else the user's, else 2."""
        if self.home_dc is not None:
            return self.home_dc
        return self.user.dc if self.user is not None else DEFAULT_DC


@dataclass(slots=True, kw_only=True)
class StateChange:
    """A change of an update state: what it mentions is set, the rest stays."""

    #: New pts.
    pts: int | None = None
    #: New qts.
    qts: int | None = None
    #: New date, in Unix seconds.
    date: int | None = None
    #: New seq.
    seq: int | None = None
    #: Channels to set, each id once.
    channels: list[ChannelState] = field(default_factory=list)
    #: Bare ids of channels to forget, none of them also in ``channels``.
    removed_channels: list[int] = field(default_factory=list)

    @classmethod
    def joined(cls, changes: Iterable[StateChange]) -> StateChange:
        """Changes, the earliest first, as one change with the same effect."""
        one = cls()
        channels: dict[int, int | None] = {}
        for change in changes:
            one.pts = one.pts if change.pts is None else change.pts
            one.qts = one.qts if change.qts is None else change.qts
            one.date = one.date if change.date is None else change.date
            one.seq = one.seq if change.seq is None else change.seq
            channels.update((channel.id, channel.pts) for channel in change.channels)
            channels.update((id, None) for id in change.removed_channels)
        one.channels = [ChannelState(id, pts) for id, pts in sorted(channels.items()) if pts is not None]
        one.removed_channels = [id for id, pts in sorted(channels.items()) if pts is None]
        return one


@dataclass(slots=True, kw_only=True)
class Clear:
    """What a merging write forgets first, in the same commit. This is how a library logs out."""

    #: Data centers whose keys are forgotten.
    auth_dcs: list[int] = field(default_factory=list)
    #: Every key is forgotten.
    all_auth: bool = False
    #: The user is forgotten.
    user: bool = False
    #: The update state is forgotten, channels included.
    state: bool = False
    #: The channels' states are forgotten.
    channels: bool = False
