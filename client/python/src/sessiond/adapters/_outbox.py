"""What a library has written, on its way to the daemon."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from .. import errors
from ..aio import Hold
from ..belongings import Attribute
from ..session import Clear, Session, StateChange
from ._peers import Peers

log = logging.getLogger("sessiond")

#: What passes: the write is tried again.
_PASSING = (errors.Unavailable, errors.StorageFailed, errors.StorageFull)
#: How long a full or failing disk of the daemon is left alone, in seconds.
_REST = 1.0


class Outbox:
    """The writes of a held session, sent one after the other by a task that lives while there are any. What comes while a write
    is under way is joined: the counters to one change, the peers to one batch. A daemon that is away holds nothing up: what is
    written waits here.

    Of what the daemon refuses for good, the log tells; of a key or a user, so does the next :meth:`flush`. What comes after the
    hold was lost is dropped.
    """

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        #: Those that are known of and queued.
        self.peers = Peers(hold)
        self._saves: deque[tuple[Session, Clear | None]] = deque()
        self._forget_peers = False
        self._change: StateChange | None = None
        # By their keys. One without a value is to be deleted.
        self._attributes: dict[str, Attribute | None] = {}
        self._writing: asyncio.Task[None] | None = None
        self._refusal: errors.Error | None = None

    def merge(self, session: Session, clear: Clear | None = None) -> None:
        """Adds to what is stored, after forgetting what ``clear`` names."""
        if clear is not None and clear.state:
            self._change = None
        self._saves.append((session, clear))
        self.wake()

    def advance(self, change: StateChange) -> None:
        """Sets counters."""
        self._change = change if self._change is None else StateChange.joined([self._change, change])
        self.wake()

    def put_attribute(self, attribute: Attribute) -> None:
        """Sets an attribute."""
        self._attributes[attribute.key] = attribute
        self.wake()

    def delete_attribute(self, key: str) -> None:
        """Deletes an attribute."""
        self._attributes[key] = None
        self.wake()

    def forget_peers(self) -> None:
        """Deletes all peers, as when another account logs in."""
        self.peers.forget()
        self._forget_peers = True
        self.wake()

    def check(self) -> None:
        """:raises Lost: the hold was lost."""
        if self._hold.lost is not None:
            raise errors.Lost(self._hold.lost)

    def wake(self) -> None:
        """Something was queued."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def flush(self, patience: float) -> bool:
        """Waits until all is written, for so many seconds at most. Whether it is.

        :raises Error: the daemon refused a key or a user for good.
        """
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=patience)
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal
        return self._writing is None or self._writing.done()

    def close(self) -> None:
        """What is not written will not be."""
        if self._writing is not None:
            self._writing.cancel()

    def _next(self) -> Callable[[], Awaitable[None]] | None:
        """What is to be written next. A session comes before what is said about it."""
        if self._hold.lost is not None:
            return None
        if self._saves:
            return self._write_session
        if self._change is not None:
            return self._write_change
        if self._forget_peers or not self.peers.is_empty():
            return self._write_peers
        return self._write_attributes if self._attributes else None

    async def _write(self) -> None:
        while (write := self._next()) is not None:
            try:
                await write()
            except errors.Unavailable:
                log.warning("session %r: no daemon answers; what is written waits", self._hold.name)
            except _PASSING as error:
                log.warning("session %r: %s; what is written waits", self._hold.name, error)
                await asyncio.sleep(_REST)
            except errors.Lost:
                return
            except errors.Error as refusal:
                log.error("session %r: a write was refused: %s", self._hold.name, refusal)

    async def _write_session(self) -> None:
        session, clear = self._saves.popleft()
        try:
            await self._hold.merge(session, clear=clear)
        except _PASSING:
            self._saves.appendleft((session, clear))
            raise
        except errors.Lost:
            raise
        except errors.Error as refusal:
            self._refusal = refusal
            raise

    async def _write_change(self) -> None:
        change, self._change = self._change or StateChange(), None
        try:
            await self._hold.advance(change)
        except _PASSING:
            self._change = StateChange.joined([change, self._change or StateChange()])
            raise

    async def _write_peers(self) -> None:
        if self._forget_peers:
            await self._hold.delete_all_peers()
            self._forget_peers = False
        try:
            await self._hold.put_peers(self.peers.take())
        except _PASSING:
            self.peers.not_sent()
            raise
        finally:
            self.peers.sent()

    async def _write_attributes(self) -> None:
        taken, self._attributes = self._attributes, {}
        try:
            put = [attribute for attribute in taken.values() if attribute is not None]
            await self._hold.put_attributes(
                put, delete=[key for key, value in taken.items() if value is None]
            )
        except _PASSING:
            self._attributes = {**taken, **self._attributes}
            raise
