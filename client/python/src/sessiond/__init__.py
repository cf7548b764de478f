"""The Python client of sessiond, the daemon that keeps a host's Telegram sessions: whoever holds a session gets its keys and
may write it; everyone else may watch it.

Hold, and write::

    import sessiond

    with sessiond.connect() as client, client.hold("alice", wait=True) as hold:
        print(hold.session)
        hold.advance(sessiond.StateChange(pts=1042))

Watch::

    with sessiond.connect() as client:
        for event in client.watch(["alice"]):
            print(event)

:mod:`sessiond.aio` is the same for asyncio.
"""

from ._changes import Acknowledged
from ._place import WatchMode, WatchPosition
from ._socket import SOCKET_VARIABLE, default_socket
from ._token import Token
from .advance_stream import AdvanceStream
from .belongings import Attribute, Kept, Peer, PeerKey, PeerKind
from .client import Client, connect
from .daemon import Figures, Holder, Loaded, LostReason, ServerInfo, SessionSummary, Waiting
from .errors import (
    ChangeRefused,
    Damaged,
    Error,
    Fenced,
    FileInUse,
    ForeignFile,
    HeldByAnother,
    InvalidArgument,
    InvalidName,
    LimitExceeded,
    Lost,
    NotPermitted,
    RevisionMismatch,
    StorageFailed,
    StorageFull,
    Unavailable,
)
from .events import (
    Advanced,
    Bookmark,
    Commit,
    Deleted,
    HoldChanged,
    Restarted,
    RestartReason,
    Saved,
    Snapshot,
    Synced,
    WatchEvent,
)
from .held import HeldSession
from .hold import Hold
from .session import ChannelState, Clear, DataCenter, Session, StateChange, UpdateState, User
from .watch import Watch

__all__ = [
    "SOCKET_VARIABLE",
    "Acknowledged",
    "AdvanceStream",
    "Advanced",
    "Attribute",
    "Bookmark",
    "ChangeRefused",
    "ChannelState",
    "Clear",
    "Client",
    "Commit",
    "Damaged",
    "DataCenter",
    "Deleted",
    "Error",
    "Fenced",
    "Figures",
    "FileInUse",
    "ForeignFile",
    "HeldByAnother",
    "HeldSession",
    "Hold",
    "HoldChanged",
    "Holder",
    "InvalidArgument",
    "InvalidName",
    "Kept",
    "LimitExceeded",
    "Loaded",
    "Lost",
    "LostReason",
    "NotPermitted",
    "Peer",
    "PeerKey",
    "PeerKind",
    "RestartReason",
    "Restarted",
    "RevisionMismatch",
    "Saved",
    "ServerInfo",
    "Session",
    "SessionSummary",
    "Snapshot",
    "StateChange",
    "StorageFailed",
    "StorageFull",
    "Synced",
    "Token",
    "Unavailable",
    "UpdateState",
    "User",
    "Waiting",
    "Watch",
    "WatchEvent",
    "WatchMode",
    "WatchPosition",
    "connect",
    "default_socket",
]
