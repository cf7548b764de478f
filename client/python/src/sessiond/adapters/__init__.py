"""Sessions of Telegram libraries that live in sessiond. A program that uses one of them changes the line that makes its session:

=================  ==========================================================================
Telethon v1        ``TelegramClient(SessiondSession("alice"), api_id, api_hash)``,
                   :mod:`sessiond.adapters.telethon`
Telethon v2        ``Client(SessiondStorage("alice"), api_id, api_hash)``, :mod:`sessiond.adapters.telethon_v2`
Kurigram           ``Client("alice", storage_engine=SessiondStorage("alice"))``, :mod:`sessiond.adapters.kurigram`
PyroTGFork         ``Client("alice", storage_engine=SessiondStorage("alice"))``, :mod:`sessiond.adapters.pyrotgfork`
Pyrofork           ``Client("alice", storage=SessiondStorage("alice"))``, :mod:`sessiond.adapters.pyrofork`
Hydrogram          ``Client("alice", session_storage_engine=SessiondStorage("alice"))``, :mod:`sessiond.adapters.hydrogram`
=================  ==========================================================================

Each module imports its library; this package does not. docs/libraries.md tells what is held when, and what happens if the program
is killed, logs out or loses the hold.
"""

from ..errors import Error

__all__ = ["LoggedOut", "UnknownUser"]


class LoggedOut(Error):
    """The session that was waited for, or that has to be logged in, is logged out: its last holder logged out, or nobody ever
    logged in. Without this error, the library would ask for a phone number."""

    #: The session's name.
    name: str

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"session {self.name!r} is logged out: log in again, or import it with `sessiond import`"


class UnknownUser(Error):
    """The session has a key, and nobody knows whose it is. The library would take it for empty, and write a new key over it."""

    #: The session's name.
    name: str

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"session {self.name!r} has a key, and does not tell whose it is: say so with "
            f"`sessiond set-user {self.name} --id ID --bot true|false`, or begin anew with `sessiond rm {self.name}`"
        )
