"""A client of the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType

from . import _v1 as v1
from . import _wire
from ._connection import Connection
from ._life_line import Line
from ._name import checked_name
from ._place import Place, WatchMode, WatchPosition
from ._requests import AT_ONCE, Request, Requests
from ._retry import DEADLINE
from ._socket import Socket
from ._standing import Borrowed
from ._token import Token
from .daemon import Loaded, ServerInfo, SessionSummary, Waiting
from .held import HeldSession, OnLost
from .hold import Hold
from .watch import Watch


def connect(
    socket: str | os.PathLike[str] | None = None, *, deadline: float = DEADLINE, label: str = ""
) -> Client:
    """A client of the daemon at ``socket``: a path, ``unix:PATH`` or ``unix-abstract:NAME``. ``None``: the one that
    ``SESSIOND_SOCKET`` names, else the one where ``sessiond serve`` serves by default. It need not run yet.

    ``deadline`` is how long a call waits for a daemon, in seconds. ``label`` is what this client calls itself where it holds: at
    most 128 characters without control characters.
    """
    return Client(Socket.found() if socket is None else Socket(socket), deadline, label)


class Client:
    """A client of the daemon, made by :func:`connect`. It may be used from several threads, and is a context manager that closes
    it.

    It has two connections, one for watches and one for everything else; both are made when they are needed, and again whenever
    they break. While no daemon answers, calls are tried again, at most a second apart, until their deadline; then they raise
    :class:`Unavailable`. After ``os.fork()`` each process connects for itself: in the child, this client raises
    ``RuntimeError``, and the parent's holds and watches go on as if nothing had happened.
    """

    def __init__(self, socket: Socket, deadline: float, label: str) -> None:
        self._socket = socket
        self._label = label
        self._connection = Connection(socket, deadline)

    def __repr__(self) -> str:
        return f"<Client of {self.socket}>"

    @property
    def socket(self) -> str:
        """Where the daemon is looked for."""
        return str(self._socket)

    def hold(
        self,
        name: str,
        *,
        wait: bool = False,
        label: str | None = None,
        on_waiting: Callable[[Waiting], object] | None = None,
        on_lost: OnLost | None = None,
        timeout: float | None = None,
    ) -> Hold:
        """Takes a session for this process alone: see :class:`Hold`.

        While another client holds it, ``wait`` waits in line; ``on_waiting`` is told who is in the way, at once and whenever
        that or the place in the line changes. ``timeout`` is how long to wait for the grant at most, in seconds. ``label``
        stands in place of the client's own. ``on_lost`` is called if the hold is lost, from a thread of its own.

        :raises HeldByAnother: another client holds it, and ``wait`` was not asked for or ``timeout`` is over.
        :raises FileInUse: another program has the session's file open.
        :raises ForeignFile: the session's file is not as the daemon left it.
        :raises Unavailable: no daemon answers.
        """
        label = self._label if label is None else label
        request = v1.HoldRequest(name=checked_name(name), label=label, wait=wait)
        line = Line(self._connection, request, on_waiting, timeout)
        return Hold(self._connection, line, request, on_lost)

    def held(self, name: str, token: Token) -> HeldSession:
        """A session that another process holds, which gave this one its token to work for it. When that hold is over, every call
        raises :class:`Fenced`.

        :raises InvalidName: it is no name.
        """
        return HeldSession(self._connection, Requests(checked_name(name), token), Borrowed())

    def load(self, name: str) -> Loaded:
        """Reads a session without its keys. Anyone may, whether or not it is held.

        :raises Unavailable: no daemon answers.
        """
        name = checked_name(name)
        request = Request(lambda: v1.LoadRequest(name=name))
        return _wire.loaded(
            self._connection.call(self._connection.sessions.Load, request, self._connection.retry())
        )

    def list(self, prefix: str = "") -> Iterator[SessionSummary]:
        """The sessions whose names begin with ``prefix``, by name: those that have data and those that are held. Pages are asked
        for as the iterator is read.

        :raises Unavailable: no daemon answers.
        """
        page_token = ""
        while True:
            following = page_token
            request = Request(
                lambda: v1.ListRequest(page_size=AT_ONCE, page_token=following, name_prefix=prefix)
            )
            page = self._connection.call(self._connection.sessions.List, request, self._connection.retry())
            yield from map(_wire.summary, page.sessions)
            page_token = page.next_page_token
            if not page_token:
                return

    def watch(
        self,
        names: Iterable[str] = (),
        *,
        name_prefix: str = "",
        after: WatchPosition | None = None,
        mode: WatchMode = WatchMode.EVERY_CHANGE,
        bookmark_interval: float | None = None,
    ) -> Watch:
        """Follows sessions, the named ones and those whose names begin with ``name_prefix``; with neither, all: see
        :class:`Watch`. They need not exist yet.

        ``after`` is where to go on from, in place of snapshots of every session. ``bookmark_interval`` is how long the daemon
        may be silent, in seconds: 0.1 to 3,600; ``None``: 5.

        :raises InvalidName: one of them is no name.
        """
        return Watch(self._connection, Place(names, name_prefix, after, mode, bookmark_interval))

    def end_hold(self, name: str) -> None:
        """Ends a session's hold. The holder is told, and may write no more. Of a session that nobody holds: nothing happens.

        :raises NotPermitted: this user may not.
        :raises Unavailable: no daemon answers.
        """
        name = checked_name(name)
        request = Request(lambda: v1.EndHoldRequest(name=name))
        self._connection.call(self._connection.admin.EndHold, request, self._connection.retry())

    def info(self) -> ServerInfo:
        """What daemon it is, and how it fares.

        :raises Unavailable: no daemon answers.
        """
        request = Request(v1.GetServerInfoRequest)
        return _wire.server_info(
            self._connection.call(self._connection.admin.GetServerInfo, request, self._connection.retry())
        )

    def close(self) -> None:
        """Closes the connections. Watches end; a hold that was not released stays this process's for its resume window."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
