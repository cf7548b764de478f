"""A session that is held, and what may be done with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from . import _wire, errors
from ._alarm import Alarm
from ._connection import Connection
from ._held import Held
from ._loss import lost_by
from ._requests import Request, Requests
from ._standing import Standing
from ._status import Status
from .advance_stream import AdvanceStream
from .belongings import Attribute, Kept, Peer, PeerKey, PeerKind
from .daemon import Loaded, LostReason
from .session import Clear, Session, StateChange

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

#: Is called once when a hold is lost, in a thread of its own.
OnLost = Callable[[LostReason], object]


class HeldSession(Held):
    """A held session: reads it with its keys, and writes it. It may be used from several threads.

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

    def load(self) -> Loaded:
        """Reads the session, with its keys."""
        return _wire.loaded(self._call(self._connection.sessions.Load, self._requests.load()))

    def save(
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
        return self._call(self._connection.sessions.Save, request, deadline).revision

    def merge(
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
        return self._call(self._connection.sessions.Save, request, deadline).revision

    def advance(
        self,
        change: StateChange,
        *,
        expected_revision: int | None = None,
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> int:
        """Sets the counters that the change mentions, and gives the session's revision. Durable when it returns."""
        request = self._requests.advance(change, expected_revision, request_id)
        return self._call(self._connection.sessions.Advance, request, deadline).revision

    def advance_stream(self) -> AdvanceStream:
        """Opens a stream of such changes, that do not wait for each other's answers."""
        return AdvanceStream(self._connection, self._requests, self._standing)

    def delete(
        self,
        *,
        expected_revision: int | None = None,
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> int:
        """Deletes the session with its peers and attributes, and gives the deletion's revision; 0: there was nothing.
        ``load`` and ``save`` still work after it."""
        request = self._requests.delete(expected_revision, request_id)
        return self._call(self._connection.sessions.Delete, request, deadline).revision

    def put_peers(self, peers: Iterable[Peer]) -> Kept:
        """Adds what is known of peers to what is stored, in as many calls as it takes, one after the other: what those before a
        failed one have put stays. To put them again changes nothing. Durable when it returns.

        :raises LimitExceeded: a limit of what a session keeps.
        """
        kept = Kept(0, 0)
        for request in self._requests.put_peers(peers):
            answer = self._call(self._connection.peers.PutPeers, request)
            kept = Kept(answer.revision, kept.changed + answer.changed)
        return kept

    def peers(self, keys: Iterable[PeerKey]) -> list[Peer | None]:
        """Looks peers up: an answer for each key, in their order. ``None``: none is known by it.

        :raises LimitExceeded: the peers are too large to be answered together: ask for fewer.
        """
        found: list[Peer | None] = []
        for request in self._requests.peers(keys):
            results = self._call(self._connection.peers.GetPeers, request).results
            found += [_wire.peer(result.peer) if result.HasField("peer") else None for result in results]
        return found

    def list_peers(
        self,
        *,
        kinds: Iterable[PeerKind | None] = (),
        after_id: int | None = None,
        seen_after: int | None = None,
    ) -> Iterator[Peer]:
        """The peers, by ascending id and as they are when the iterator is first read: all, or those of some kinds (``None``: not
        known), of a higher id, seen after a time in Unix seconds. An iterator that breaks off raises its error; ``after_id`` goes
        on from there.

        :raises LimitExceeded: most peers were changed before they were told: list again.
        """
        self._standing.check()
        self._connection.check_process()
        request = self._requests.list_peers(kinds, after_id, seen_after)
        retry = self._connection.retry()
        stream = self._connection.peers.ListPeers(request.message, wait_for_ready=True)
        unanswered = Alarm(stream, retry.remaining())
        try:
            for message in stream:
                unanswered.off()
                yield from map(_wire.peer, message.peers)
            return
        except grpc.RpcError as error:
            status = Status.of(error)
        finally:
            unanswered.off()
            stream.cancel()
        if unanswered.rang:
            raise retry.given_up()
        raise lost_by(self._standing, retry.broken_off(status))

    def delete_peers(self, ids: Iterable[int]) -> Kept:
        """Forgets peers, by their marked ids. Those that are not known do not matter."""
        kept = Kept(0, 0)
        for request in self._requests.delete_peers(ids):
            answer = self._call(self._connection.peers.DeletePeers, request)
            kept = Kept(answer.revision, kept.changed + answer.deleted)
        return kept

    def delete_all_peers(self) -> Kept:
        """Forgets all peers, as when another account logs in."""
        answer = self._call(self._connection.peers.DeletePeers, self._requests.delete_all_peers())
        return Kept(answer.revision, answer.deleted)

    def put_attributes(self, attributes: Iterable[Attribute], *, delete: Iterable[str] = ()) -> int:
        """Sets attributes and deletes those of the keys in ``delete``, in one commit: together at most 1,000, and 1 MiB. Gives
        the store's revision. To do it again changes nothing. Durable when it returns.

        :raises InvalidArgument: also where one that is secret would no longer be, or where a value was not told.
        :raises LimitExceeded: a session has at most 20,000 attributes, and 16 MiB of them.
        """
        request = self._requests.put_attributes(attributes, delete)
        return self._call(self._connection.attributes.PutAttributes, request).revision

    def attributes(self, keys: Iterable[str]) -> list[Attribute]:
        """Reads attributes: those of the keys that are there, in their order.

        :raises LimitExceeded: they are too large to be answered together: ask for fewer.
        """
        found: list[Attribute] = []
        for request in self._requests.attributes(keys):
            answer = self._call(self._connection.attributes.GetAttributes, request)
            found += map(_wire.attribute, answer.attributes)
        return found

    def list_attributes(self, prefix: str = "", *, keys_only: bool = False) -> Iterator[Attribute]:
        """The attributes whose keys begin with ``prefix``, by key; their values are left out with ``keys_only``. Pages are asked
        for as the iterator is read, each as it is then."""
        page_token = ""
        while True:
            request = self._requests.list_attributes(prefix, keys_only, page_token)
            page = self._call(self._connection.attributes.ListAttributes, request)
            yield from map(_wire.attribute, page.attributes)
            page_token = page.next_page_token
            if not page_token:
                return

    def delete_attributes(self, keys: Iterable[str]) -> Kept:
        """Deletes attributes by their keys. Those that are not there do not matter."""
        kept = Kept(0, 0)
        for request in self._requests.delete_attributes(keys):
            answer = self._call(self._connection.attributes.DeleteAttributes, request)
            kept = Kept(answer.revision, kept.changed + answer.deleted)
        return kept

    def delete_attributes_below(self, prefix: str) -> Kept:
        """Deletes all attributes whose keys begin with ``prefix``, which is not empty."""
        request = self._requests.delete_attributes_below(prefix)
        answer = self._call(self._connection.attributes.DeleteAttributes, request)
        return Kept(answer.revision, answer.deleted)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Q, A],
        request: Request[Q],
        deadline: float | None = None,
    ) -> A:
        self._standing.check()
        try:
            return self._connection.call(method, request, self._connection.retry(deadline))
        except errors.Fenced as error:
            failure = lost_by(self._standing, error)
        raise failure


def in_a_thread(on_lost: OnLost | None, name: str) -> OnLost:
    """Whoever finds out that a hold is lost is not kept up by what the program does about it."""

    def tell(reason: LostReason) -> None:
        if on_lost is not None:
            threading.Thread(
                target=on_lost, args=(reason,), name=f"sessiond lost {name}", daemon=True
            ).start()

    return tell
