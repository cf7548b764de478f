"""A session that is held, and what may be done with it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

import grpc.aio
from google.protobuf.message import Message

from .. import _wire, errors
from .._held import Held
from .._requests import Request, Requests
from .._standing import Standing
from ..belongings import Attribute, Kept, Peer, PeerKey, PeerKind
from ..daemon import Loaded, LostReason
from ..session import Clear, Session, StateChange
from ._connection import Broken, Connection, Ended, Stream
from ._loss import lost_by
from .advance_stream import AdvanceStream

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

#: Is called once when a hold is lost, by the event loop. If it gives an awaitable, that runs as a task.
OnLost = Callable[[LostReason], object]


class HeldSession(Held):
    """A held session: reads it with its keys, and writes it. It may be used from several tasks of one event loop.

    While no daemon answers, a call is tried again until its deadline; a write goes through once, however often it is tried.
    Every write may be given

    * ``expected_revision``: it is refused (:class:`RevisionMismatch`) unless the session is at it; 0: there must be none yet;
    * ``request_id``, at most 128 bytes, in place of a new one: for a program that repeats its writes after its own restart;
    * ``deadline``: seconds to wait for a daemon, in place of the client's.

    Every call raises :class:`Lost` where the hold was lost, or :class:`Fenced` where the token is not that of the current hold;
    :class:`InvalidArgument`, :class:`Damaged`, :class:`StorageFull`, :class:`StorageFailed` or :class:`Unavailable`.
    """

    def __init__(self, connection: Connection, requests: Requests, standing: Standing) -> None:
        super().__init__(requests, standing)
        self._connection = connection

    async def load(self) -> Loaded:
        """Reads the session, with its keys."""
        return _wire.loaded(await self._call(self._connection.sessions.Load, self._requests.load()))

    async def save(
        self,
        session: Session,
        *,
        expected_revision: int | None = None,
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> int:
        """Makes the session exactly this, and gives its revision. Durable when it returns.

        :raises InvalidArgument: also where a key is withheld, because it would be lost. Nothing was sent.
        """
        request = self._requests.save(session, expected_revision, request_id)
        return (await self._call(self._connection.sessions.Save, request, deadline)).revision

    async def merge(
        self,
        session: Session,
        *,
        clear: Clear | None = None,
        expected_revision: int | None = None,
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> int:
        """Forgets what ``clear`` names, then adds what this session knows to what is stored and takes nothing away, in one
        commit. Gives the session's revision. Durable when it returns."""
        request = self._requests.merge(session, clear, expected_revision, request_id)
        return (await self._call(self._connection.sessions.Save, request, deadline)).revision

    async def advance(
        self,
        change: StateChange,
        *,
        expected_revision: int | None = None,
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> int:
        """Sets the counters that the change mentions, and gives the session's revision. Durable when it returns."""
        request = self._requests.advance(change, expected_revision, request_id)
        return (await self._call(self._connection.sessions.Advance, request, deadline)).revision

    def advance_stream(self) -> AdvanceStream:
        """Opens a stream of such changes, that do not wait for each other's answers."""
        return AdvanceStream(self._connection, self._requests, self._standing)

    async def delete(
        self,
        *,
        expected_revision: int | None = None,
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> int:
        """Deletes the session with its peers and attributes, and gives the deletion's revision; 0: there was nothing.
        ``load`` and ``save`` still work after it."""
        request = self._requests.delete(expected_revision, request_id)
        return (await self._call(self._connection.sessions.Delete, request, deadline)).revision

    async def put_peers(self, peers: Iterable[Peer]) -> Kept:
        """Adds what is known of peers to what is stored, in as many calls as it takes, one after the other: what those before a
        failed one have put stays. To put them again changes nothing. Durable when it returns.

        :raises LimitExceeded: a limit of what a session keeps.
        """
        kept = Kept(0, 0)
        for request in self._requests.put_peers(peers):
            answer = await self._call(self._connection.peers.PutPeers, request)
            kept = Kept(answer.revision, kept.changed + answer.changed)
        return kept

    async def peers(self, keys: Iterable[PeerKey]) -> list[Peer | None]:
        """Looks peers up: an answer for each key, in their order. ``None``: none is known by it.

        :raises LimitExceeded: the peers are too large to be answered together: ask for fewer.
        """
        found: list[Peer | None] = []
        for request in self._requests.peers(keys):
            results = (await self._call(self._connection.peers.GetPeers, request)).results
            found += [_wire.peer(result.peer) if result.HasField("peer") else None for result in results]
        return found

    async def list_peers(
        self,
        *,
        kinds: Iterable[PeerKind | None] = (),
        after_id: int | None = None,
        seen_after: int | None = None,
    ) -> AsyncIterator[Peer]:
        """The peers, by ascending id and as they are when the iterator is first read: all, or those of some kinds (``None``: not
        known), of a higher id, seen after a time in Unix seconds. An iterator that breaks off raises its error; ``after_id`` goes
        on from there.

        :raises LimitExceeded: most peers were changed before they were told: list again.
        """
        self._standing.check()
        self._connection.check_process()
        request = self._requests.list_peers(kinds, after_id, seen_after)
        retry = self._connection.retry()
        stream = Stream(self._connection.peers.ListPeers(request.message, wait_for_ready=True))
        unanswered = retry.remaining()
        try:
            while True:
                message = await stream.next(unanswered)
                unanswered = None
                for peer in message.peers:
                    yield _wire.peer(peer)
        except asyncio.TimeoutError:
            failure = retry.given_up()
        except Ended:
            return
        except Broken as broken:
            failure = await lost_by(self._standing, retry.broken_off(broken.status))
        finally:
            stream.cancel()
        raise failure

    async def delete_peers(self, ids: Iterable[int]) -> Kept:
        """Forgets peers, by their marked ids. Those that are not known do not matter."""
        kept = Kept(0, 0)
        for request in self._requests.delete_peers(ids):
            answer = await self._call(self._connection.peers.DeletePeers, request)
            kept = Kept(answer.revision, kept.changed + answer.deleted)
        return kept

    async def delete_all_peers(self) -> Kept:
        """Forgets all peers, as when another account logs in."""
        answer = await self._call(self._connection.peers.DeletePeers, self._requests.delete_all_peers())
        return Kept(answer.revision, answer.deleted)

    async def put_attributes(self, attributes: Iterable[Attribute], *, delete: Iterable[str] = ()) -> int:
        """Sets attributes and deletes those of the keys in ``delete``, in one commit: together at most 1,000, and 1 MiB. Gives
        the store's revision. To do it again changes nothing. Durable when it returns.

        :raises InvalidArgument: also where one that is secret would no longer be, or where a value was not told.
        :raises LimitExceeded: a session has at most 20,000 attributes, and 16 MiB of them.
        """
        request = self._requests.put_attributes(attributes, delete)
        return (await self._call(self._connection.attributes.PutAttributes, request)).revision

    async def attributes(self, keys: Iterable[str]) -> list[Attribute]:
        """Reads attributes: those of the keys that are there, in their order.

        :raises LimitExceeded: they are too large to be answered together: ask for fewer.
        """
        found: list[Attribute] = []
        for request in self._requests.attributes(keys):
            answer = await self._call(self._connection.attributes.GetAttributes, request)
            found += map(_wire.attribute, answer.attributes)
        return found

    async def list_attributes(self, prefix: str = "", *, keys_only: bool = False) -> AsyncIterator[Attribute]:
        """The attributes whose keys begin with ``prefix``, by key; their values are left out with ``keys_only``. Pages are asked
        for as the iterator is read, each as it is then."""
        page_token = ""
        while True:
            request = self._requests.list_attributes(prefix, keys_only, page_token)
            page = await self._call(self._connection.attributes.ListAttributes, request)
            for attribute in page.attributes:
                yield _wire.attribute(attribute)
            page_token = page.next_page_token
            if not page_token:
                return

    async def delete_attributes(self, keys: Iterable[str]) -> Kept:
        """Deletes attributes by their keys. Those that are not there do not matter."""
        kept = Kept(0, 0)
        for request in self._requests.delete_attributes(keys):
            answer = await self._call(self._connection.attributes.DeleteAttributes, request)
            kept = Kept(answer.revision, kept.changed + answer.deleted)
        return kept

    async def delete_attributes_below(self, prefix: str) -> Kept:
        """Deletes all attributes whose keys begin with ``prefix``, which is not empty."""
        request = self._requests.delete_attributes_below(prefix)
        answer = await self._call(self._connection.attributes.DeleteAttributes, request)
        return Kept(answer.revision, answer.deleted)

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, A],
        request: Request[Q],
        deadline: float | None = None,
    ) -> A:
        self._standing.check()
        try:
            return await self._connection.call(method, request, self._connection.retry(deadline))
        except errors.Fenced as error:
            failure = await lost_by(self._standing, error)
        raise failure


def from_the_loop(connection: Connection, on_lost: OnLost | None) -> OnLost:
    """Whoever finds out that a hold is lost is not kept up by what the program does about it."""

    def call(reason: LostReason) -> None:
        doing = None if on_lost is None else on_lost(reason)
        if inspect.isawaitable(doing):
            connection.begin(doing)

    return lambda reason: connection.loop.call_soon(call, reason)
