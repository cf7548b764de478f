"""The home data center, as libraries see it: an address of one kind, a port and a key."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..session import DataCenter, Session

#: Where Telegram's data centers are: IPv4 and IPv6 by id. Some libraries never write an address.
#: https://core.telegram.org/api/obtaining_api_id shows an application's own list.
_PRODUCTION = {
    1: ("149.154.175.53", "2001:b28:f23d:f001::a"),
    2: ("149.154.167.51", "2001:67c:4e8:f002::a"),
    3: ("149.154.175.100", "2001:b28:f23d:f003::a"),
    4: ("149.154.167.91", "2001:67c:4e8:f004::a"),
    5: ("91.108.56.130", "2001:b28:f23f:f005::a"),
}
_TEST = {
    1: ("149.154.175.10", "2001:b28:f23d:f001::e"),
    2: ("149.154.167.40", "2001:67c:4e8:f002::e"),
    3: ("149.154.175.117", "2001:b28:f23d:f003::e"),
}
_TEST_ADDRESSES = {address for addresses in _TEST.values() for address in addresses}
_PRODUCTION_PORT = 443
_TEST_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The home data center."""

    #: Its id.
    dc: int
    #: Its IP address. ``None``: not known.
    address: str | None
    #: The port there. ``None``: not known.
    port: int | None
    #: The authorization key, 256 bytes. A secret. ``None``: there is none.
    auth: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, session: Session, *, ipv6: bool = False) -> Home:
        """The session's own, with its IPv6 address where that is asked for. An address of that kind that it does not have is
        Telegram's; failing that, one of the other kind."""
        id = session.home_dc_id()
        dc = session.dc(id) or DataCenter(id=id)
        asked, other = (dc.ipv6_addr, dc.ipv4_addr) if ipv6 else (dc.ipv4_addr, dc.ipv6_addr)
        for written in (asked, usual_address(id, session.test_mode is True, ipv6=ipv6), other):
            if written:
                address, _, port = written.rpartition(":")
                return cls(dc=id, address=address, port=int(port), auth=dc.auth)
        return cls(dc=id, address=None, port=None, auth=dc.auth)

    def session(self) -> Session:
        """What a session is told of it."""
        dc = DataCenter(id=self.dc, auth=self.auth)
        if self.address and self.port:
            written = f"{self.address}:{self.port}"
            dc.ipv4_addr, dc.ipv6_addr = (None, written) if ":" in self.address else (written, None)
        # A test server's id means another server in production.
        test_mode = True if self.address in _TEST_ADDRESSES else None
        return Session(home_dc=self.dc, dcs=[dc], test_mode=test_mode)


def usual_address(id: int, test_mode: bool, *, ipv6: bool = False) -> str | None:
    """Telegram's own address of a data center, ``ip:port``."""
    known = (_TEST if test_mode else _PRODUCTION).get(id)
    return None if known is None else f"{known[ipv6]}:{_TEST_PORT if test_mode else _PRODUCTION_PORT}"
