"""Following sessions."""

from __future__ import annotations

import asyncio
from types import TracebackType

from .. import _v1 as v1
from .. import errors
from .._place import Place, WatchPosition
from .._status import Status
from ..events import WatchEvent
from ._connection import Broken, Connection, News, Stream


class Watch:
    """Follows sessions: an async iterator of what happens to them. :meth:`Client.watch` gives it.

    It begins with :class:`Restarted`, a :class:`Snapshot` of each session, and :class:`Synced`; then comes every
    :class:`Commit`, in order, once, with none left out. When the connection breaks or the daemon restarts it goes on where it
    was, for as long as it takes; where that is not possible it says so by another :class:`Restarted`. Before the first event,
    no daemon for as long as the client's deadline is :class:`Unavailable`. After an error it has ended. With
    :attr:`WatchMode.LATEST`, commits may be left out and come again.

    A watch may be left unread: it holds nothing else up, and the daemon remembers for it within limits. A reader
    that is cancelled, by ``asyncio.wait_for`` say, loses nothing. A watch is for one task at a time; :meth:`close` may be
    called from any.
    """

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection = connection
        self._place = place
        self._retry = connection.retry()
        self._stream: Stream[v1.WatchResponse] | None = None
        self._closed = False
        self._news = News()
        connection.open.add(self)

    def __repr__(self) -> str:
        return f"<Watch at {self.position}>"

    @property
    def position(self) -> WatchPosition | None:
        """How far it has come, as far as its events were read: what another watch may go on from, also in another process.
        ``None`` until synced."""
        return self._place.position

    def close(self) -> None:
        """Ends the watch, also under a task that waits for its next event."""
        if self._connection.is_foreign():
            return
        self._closed = True
        self._news.tell()
        if self._stream is not None:
            self._stream.cancel()

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> WatchEvent:
        while not self._closed:
            try:
                message = await self._opened().next(None if self._place.begun else self._retry.remaining())
            except Broken as broken:
                await self._broken(broken.status)
            except asyncio.TimeoutError:
                self.close()
                raise self._retry.given_up() from None
            else:
                if (event := self._fresh(message)) is not None:
                    return event
        raise StopAsyncIteration

    def __del__(self) -> None:
        loop = self._connection.loop
        if self._stream is not None and not self._connection.is_foreign() and not loop.is_closed():
            loop.call_soon_threadsafe(self._stream.cancel)

    def _opened(self) -> Stream[v1.WatchResponse]:
        if self._stream is None:
            self._connection.check_process()
            self._stream = Stream(self._connection.watches.Watch(self._place.request(), wait_for_ready=True))
        return self._stream

    async def _broken(self, status: Status) -> None:
        self._stream = None
        if self._closed:
            return
        try:
            delay = self._retry.pause(status)
        except errors.Error:
            self._closed = True
            raise
        await self._news.wait_for(lambda: self._closed, delay)

    def _fresh(self, message: v1.WatchResponse) -> WatchEvent | None:
        if not self._place.begun:
            self._retry = self._connection.retry_for_ever()
        self._retry.heard()
        return self._place.fresh(message)
