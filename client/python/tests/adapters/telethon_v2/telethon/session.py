"""``telethon.session`` as Telethon v2's reference describes it: what a storage is, and what is stored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class DataCenter:
    """A data center."""

    id: int
    ipv4_addr: str | None = None
    ipv6_addr: str | None = None
    auth: bytes | None = None


@dataclass(kw_only=True)
class User:
    """Who is logged in."""

    id: int
    dc: int
    bot: bool
    username: str | None


@dataclass(kw_only=True)
class ChannelState:
    """A channel's counter."""

    id: int
    pts: int


@dataclass(kw_only=True)
class UpdateState:
    """The account's counters."""

    pts: int
    qts: int
    date: int
    seq: int
    channels: list[ChannelState]


@dataclass(kw_only=True)
class Session:
    """What is stored."""

    VERSION = 1

    dcs: list[DataCenter] = field(default_factory=list)
    user: User | None = None
    state: UpdateState | None = None


class Storage(ABC):
    """Where it is stored. Some versions have ``delete`` and some ``close``; a storage for all has both."""

    @abstractmethod
    async def load(self) -> Session | None: ...

    @abstractmethod
    async def save(self, session: Session) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def delete(self) -> None: ...
