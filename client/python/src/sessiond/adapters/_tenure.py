"""The time for which a library has a session open."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass

from .. import errors
from ..aio import Client, Hold, connect
from ..daemon import LostReason, Waiting
from ..session import Session
from . import LoggedOut
from ._outbox import Outbox, log

#: How long the end waits for a daemon that is away, in seconds: as long as that keeps a hold for a process that is away itself.
_LAST_WRITE = 10.0

#: How long a library has after it closed a session to delete it, in seconds. Those that do, do so at once.
_LINGER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a session is to be held."""

    #: Its name.
    name: str
    #: Where the daemon is; ``None``: where :func:`sessiond.aio.connect` finds it.
    socket: str | os.PathLike[str] | None = None
    #: Whether to wait for a session that another client holds.
    wait: bool = True
    #: What the holder calls itself.
    label: str
    #: Whether the session has to be logged in. ``None``: if it was waited for.
    require_login: bool | None = None
    #: What the program wants called when the hold is lost. If it gives an awaitable, that runs as a task.
    on_lost: Callable[[LostReason], object] | None = None


class Tenure:
    """A session that is held, from when its library opens it to when it closes it."""

    def __init__(self, client: Client, hold: Hold) -> None:
        self._client = client
        self._hold = hold
        #: The session as it was at the beginning, with its keys; empty if there was none.
        self.session = hold.session or Session()
        #: Where it is written to.
        self.outbox = Outbox(hold)

    @classmethod
    async def begin(cls, terms: Terms, disconnect: Callable[[], object]) -> Tenure:
        """Waits for the session. When the hold is lost, the program is told, and ``disconnect`` is called.

        :raises LoggedOut: it is, and must not be.
        :raises HeldByAnother: another client holds it, and waiting was not asked for.
        :raises Error: what :meth:`sessiond.aio.Client.hold` raises.
        """
        client = connect(terms.socket, label=terms.label)
        line = _Line(terms.name)

        async def lose(reason: LostReason) -> None:
            log.error("session %r: %s", terms.name, errors.Lost(reason))
            for doing in (terms.on_lost and terms.on_lost(reason), disconnect()):
                if inspect.isawaitable(doing):
                    await doing

        try:
            hold = await client.hold(terms.name, wait=terms.wait, on_waiting=line.tell, on_lost=lose)
            tenure = cls(client, hold)
            required = line.waited if terms.require_login is None else terms.require_login
            if required and not any(dc.has_auth for dc in tenure.session.dcs):
                await hold.release()
                raise LoggedOut(terms.name)
        except BaseException:
            await client.close()
            raise
        return tenure

    @property
    def hold(self) -> Hold:
        """The hold."""
        return self._hold

    async def settle(self) -> bool:
        """Writes what is queued, and waits for it. Whether it was; if not, the log knows why."""
        try:
            written = await self.outbox.flush(_LAST_WRITE)
        except errors.Error:
            return True  # but for what was refused, of which the log knows
        if not written:
            log.error("session %r: no daemon answers; what was written last is not stored", self._hold.name)
        return written

    async def end(self) -> None:
        """Writes what is queued, and lets the session go. What is in the way of that is told to the log."""
        written = await self.settle()
        self.outbox.close()
        if written:
            await self._release()
        await self._client.close()

    async def delete(self) -> None:
        """Deletes the session, and lets it go.

        :raises Error: it could not be deleted.
        """
        self.outbox.close()
        try:
            await self._hold.delete()
            await self._release()
        finally:
            await self._client.close()

    async def _release(self) -> None:
        try:
            await self._hold.release()
        except errors.Lost:
            pass  # of which the program was told
        except errors.Error as error:
            log.warning("session %r: it goes on being held for a while: %s", self._hold.name, error)


class _Line:
    """Tells the log who is waited for."""

    def __init__(self, name: str) -> None:
        self._name = name
        #: Whether somebody else had the session.
        self.waited = False

    def tell(self, waiting: Waiting) -> None:
        if waiting.holder is not None:
            self.waited = True
            log.warning("session %r: waiting for it, %s", self._name, errors.HeldByAnother.by(waiting.holder))


async def delete_after(terms: Terms, hold: Hold) -> None:
    """Deletes a session that was let go, if nobody has held it since.

    :raises Fenced: somebody has.
    """
    async with connect(terms.socket) as client:
        await client.held(terms.name, hold.token).delete()


class Leave:
    """A session that its library has closed, and may delete at once after that: it is let go a moment later, or when the event
    loop is about to end."""

    def __init__(self, tenure: Tenure) -> None:
        self._tenure = tenure
        self._to_delete = asyncio.Event()
        self._ending = asyncio.create_task(self._end())

    async def delete(self) -> bool:
        """Deletes it. ``False``: it was let go before.

        :raises Error: it could not be deleted.
        """
        if self._ending.done():
            return False
        self._to_delete.set()
        await self._ending
        return True

    async def over(self) -> None:
        """Waits until it is let go."""
        await asyncio.wait({self._ending})

    async def _end(self) -> None:
        try:
            await asyncio.wait_for(self._to_delete.wait(), _LINGER)
        except (asyncio.TimeoutError, asyncio.CancelledError):
            await self._tenure.end()
        else:
            await self._tenure.delete()
