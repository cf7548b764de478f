"""What is asked of the daemon, as messages: the same for programs with threads and for those with asyncio."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Generic, TypeVar

from google.protobuf.message import Message

from . import _v1 as v1
from . import _wire
from ._token import Token
from .belongings import Attribute, Peer, PeerKey, PeerKind
from .errors import InvalidArgument
from .session import Clear, Session, StateChange

#: Peers, attributes or keys of them in one message, and attributes on a page: the most that the daemon takes.
AT_ONCE = 1_000
#: Bytes of peers in one message: the daemon takes 1 MiB, of which the name and the token need some.
_BYTES_AT_ONCE = (1 << 20) - (4 << 10)

M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Request(Generic[M]):
    """A message on its way to the daemon. What it says may be secret: a traceback that shows local variables shows this, and
    not the message."""

    __slots__ = ("message",)

    def __init__(self, build: Callable[[], M]) -> None:
        """:raises InvalidArgument: a value is outside of what its field can say."""
        try:
            self.message = build()
        except ValueError:
            # Its text has the value.
            raise InvalidArgument("INVALID_SESSION", "a value is outside of what its field can say") from None


class Requests:
    """The requests of one held session."""

    __slots__ = ("_numbers", "_prefix", "name", "token")

    def __init__(self, name: str, token: Token) -> None:
        self.name = name
        self.token = token
        # Request ids are this, which nobody else has, and a number: a chance for each would cost more than all of its message.
        self._prefix = uuid.uuid4().hex
        self._numbers = count(1)

    def load(self) -> Request[v1.LoadRequest]:
        return Request(lambda: v1.LoadRequest(name=self.name, token=self.token.expose()))

    def save(
        self, session: Session, expected_revision: int | None, request_id: str | None
    ) -> Request[v1.SaveRequest]:
        """:raises InvalidArgument: a key is withheld. The daemon would take it for one to be forgotten."""
        for dc in session.dcs:
            if dc.withheld and not dc.auth:
                message = f"the session is not valid: dcs[id={dc.id}].auth was withheld, so it would be lost"
                raise InvalidArgument("INVALID_SESSION", message)
        return Request(
            lambda: v1.SaveRequest(
                name=self.name,
                token=self.token.expose(),
                session=_wire.session_message(session),
                mode=v1.SAVE_MODE_REPLACE,
                expected_revision=expected_revision,
                request_id=self._request_id(request_id),
            )
        )

    def merge(
        self, session: Session, clear: Clear | None, expected_revision: int | None, request_id: str | None
    ) -> Request[v1.SaveRequest]:
        return Request(
            lambda: v1.SaveRequest(
                name=self.name,
                token=self.token.expose(),
                session=_wire.session_message(session),
                mode=v1.SAVE_MODE_MERGE,
                clear=None if clear is None else _wire.clear_message(clear),
                expected_revision=expected_revision,
                request_id=self._request_id(request_id),
            )
        )

    def advance(
        self, change: StateChange, expected_revision: int | None, request_id: str | None
    ) -> Request[v1.AdvanceRequest]:
        return Request(
            lambda: v1.AdvanceRequest(
                name=self.name,
                token=self.token.expose(),
                change=_wire.change_message(change),
                expected_revision=expected_revision,
                request_id=self._request_id(request_id),
            )
        )

    def delete(self, expected_revision: int | None, request_id: str | None) -> Request[v1.DeleteRequest]:
        return Request(
            lambda: v1.DeleteRequest(
                name=self.name,
                token=self.token.expose(),
                expected_revision=expected_revision,
                request_id=self._request_id(request_id),
            )
        )

    def release(self) -> Request[v1.ReleaseRequest]:
        return Request(lambda: v1.ReleaseRequest(name=self.name, token=self.token.expose()))

    def put_peers(self, peers: Iterable[Peer]) -> Iterator[Request[v1.PutPeersRequest]]:
        """As few messages as the daemon takes them in."""
        batch: list[v1.Peer] = []
        room = _BYTES_AT_ONCE
        for peer in peers:
            message = Request(lambda: _wire.peer_message(peer)).message
            # Its tag and its length before it.
            size = message.ByteSize() + 8
            if batch and (len(batch) == AT_ONCE or size > room):
                yield self._put_peers(batch)
                batch, room = [], _BYTES_AT_ONCE
            batch.append(message)
            room -= size
        if batch:
            yield self._put_peers(batch)

    def peers(self, keys: Iterable[PeerKey]) -> Iterator[Request[v1.GetPeersRequest]]:
        for some in _batches(keys):
            yield Request(
                lambda: v1.GetPeersRequest(
                    name=self.name,
                    token=self.token.expose(),
                    keys=[_wire.peer_key_message(key) for key in some],
                )
            )

    def list_peers(
        self, kinds: Iterable[PeerKind | None], after_id: int | None, seen_after: int | None
    ) -> Request[v1.ListPeersRequest]:
        return Request(
            lambda: v1.ListPeersRequest(
                name=self.name,
                token=self.token.expose(),
                kinds=[_wire.peer_kind_number(kind) for kind in kinds],
                after_id=after_id,
                seen_after=seen_after,
            )
        )

    def delete_peers(self, ids: Iterable[int]) -> Iterator[Request[v1.DeletePeersRequest]]:
        for some in _batches(ids):
            yield Request(lambda: v1.DeletePeersRequest(name=self.name, token=self.token.expose(), ids=some))

    def delete_all_peers(self) -> Request[v1.DeletePeersRequest]:
        return Request(lambda: v1.DeletePeersRequest(name=self.name, token=self.token.expose(), all=True))

    def put_attributes(
        self, attributes: Iterable[Attribute], delete_keys: Iterable[str]
    ) -> Request[v1.PutAttributesRequest]:
        """:raises InvalidArgument: a value was not asked for when it was listed. The daemon would take it for an empty one."""
        attributes = list(attributes)
        for attribute in attributes:
            if attribute.value is None:
                message = (
                    f"the attribute {attribute.key!r} has a value that was not asked for, so it would be lost"
                )
                raise InvalidArgument("INVALID_SESSION", message)
        return Request(
            lambda: v1.PutAttributesRequest(
                name=self.name,
                token=self.token.expose(),
                attributes=[_wire.attribute_message(attribute) for attribute in attributes],
                delete_keys=delete_keys,
            )
        )

    def attributes(self, keys: Iterable[str]) -> Iterator[Request[v1.GetAttributesRequest]]:
        for some in _batches(keys):
            yield Request(
                lambda: v1.GetAttributesRequest(name=self.name, token=self.token.expose(), keys=some)
            )

    def list_attributes(
        self, prefix: str, keys_only: bool, page_token: str
    ) -> Request[v1.ListAttributesRequest]:
        return Request(
            lambda: v1.ListAttributesRequest(
                name=self.name,
                token=self.token.expose(),
                prefix=prefix,
                keys_only=keys_only,
                page_size=AT_ONCE,
                page_token=page_token,
            )
        )

    def delete_attributes(self, keys: Iterable[str]) -> Iterator[Request[v1.DeleteAttributesRequest]]:
        for some in _batches(keys):
            yield Request(
                lambda: v1.DeleteAttributesRequest(name=self.name, token=self.token.expose(), keys=some)
            )

    def delete_attributes_below(self, prefix: str) -> Request[v1.DeleteAttributesRequest]:
        return Request(
            lambda: v1.DeleteAttributesRequest(name=self.name, token=self.token.expose(), prefix=prefix)
        )

    def _request_id(self, given: str | None) -> str:
        """All attempts of a write have the same, so that it goes through once."""
        return f"{self._prefix}-{next(self._numbers)}" if given is None else given

    def _put_peers(self, peers: list[v1.Peer]) -> Request[v1.PutPeersRequest]:
        return Request(lambda: v1.PutPeersRequest(name=self.name, token=self.token.expose(), peers=peers))


def _batches(items: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch
