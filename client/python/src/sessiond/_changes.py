"""The changes of an advance stream, between the program and the daemon."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice

from . import _v1 as v1
from . import _wire
from ._requests import Request
from .session import StateChange

#: Most changes that are on their way at once. Room for the batches that the daemon commits while the acknowledgement of an
#: earlier one travels; a few hundred bytes each.
MOST_UNACKNOWLEDGED = 8192
#: Most channels that what is sent again has in one message: as many as a session has, at most 18 bytes for each.
_MOST_JOINED = 100_000


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """How far a stream's changes are durable."""

    #: Every change up to this one is durable. 0: none yet.
    sequence: int
    #: The session's revision after it. 0 with sequence 0.
    revision: int


@dataclass(slots=True)
class _Change:
    """A change, or several as one, or a part of that."""

    #: Sequence of the last one that is durable with it.
    last: int
    content: v1.StateChange


class Changes:
    """Those that are not acknowledged, oldest first, and which of them the current connection has sent. Every connection
    numbers its changes from 1."""

    def __init__(self) -> None:
        self._changes: deque[_Change] = deque()
        self._pushed = 0
        # How many the connection has sent, and how many more that are acknowledged since.
        self._sent = 0
        self._settled = 0
        self._connection = 0
        #: How far they are durable.
        self.acknowledged = Acknowledged(0, 0)
        #: Whether no more will come.
        self.closed = False

    @property
    def pushed(self) -> int:
        """The last sequence."""
        return self._pushed

    def is_full(self) -> bool:
        """Whether too many are unacknowledged for another one."""
        return self._pushed - self.acknowledged.sequence >= MOST_UNACKNOWLEDGED

    def is_empty(self) -> bool:
        """Whether all are acknowledged."""
        return not self._changes

    def push(self, change: StateChange) -> int:
        """Adds a change, and gives its sequence.

        :raises InvalidArgument: a value is outside of what its field can say.
        :raises ValueError: the stream is finished or closed.
        """
        if self.closed:
            raise ValueError("the advance stream is finished, or closed")
        content = Request(lambda: _wire.change_message(change)).message
        self._pushed += 1
        self._changes.append(_Change(self._pushed, content))
        return self._pushed

    def begin(self) -> int:
        """Begins a connection. What the last one sent and was not acknowledged becomes one change, or as many as it takes, so
        that no counter is ever seen to go back."""
        sent, self._sent, self._settled = self._sent, 0, 0
        self._connection += 1
        if sent > 1:
            last = self._changes[sent - 1].last
            one = StateChange.joined(_wire.change(change.content) for change in islice(self._changes, sent))
            for _ in range(sent):
                self._changes.popleft()
            for part in reversed(_parts(one)):
                self._changes.appendleft(_Change(last, _wire.change_message(part)))
                # With a part of them none is durable.
                last = self.acknowledged.sequence
        return self._connection

    def next(self, connection: int) -> tuple[int, v1.StateChange] | None:
        """The next one for a connection, in its numbering. ``None``: there is none yet, or there will be none any more."""
        if connection != self._connection or self._sent == len(self._changes):
            return None
        content = self._changes[self._sent].content
        self._sent += 1
        return self._settled + self._sent, content

    def can_go_on(self, connection: int) -> bool:
        """Whether :meth:`next` has an answer for a connection: a change, or that there will be none any more."""
        return connection != self._connection or self._sent < len(self._changes) or self.closed

    def acknowledge(self, sequence: int, revision: int) -> None:
        """Takes an acknowledgement of the current connection."""
        fresh = min(max(sequence - self._settled, 0), self._sent)
        last = self.acknowledged.sequence
        for _ in range(fresh):
            last = self._changes.popleft().last
        self._sent -= fresh
        self._settled += fresh
        if last > self.acknowledged.sequence:
            self.acknowledged = Acknowledged(last, revision)

    def first_of(self, sequence: int) -> int:
        """The sequence of the change that this connection sent under ``sequence``; of several as one, of the first of them."""
        before = sequence - self._settled - 2
        if 0 <= before < len(self._changes):
            return self._changes[before].last + 1
        return self.acknowledged.sequence + 1


def _parts(change: StateChange) -> list[StateChange]:
    """A change as several that no message is too small for. What is forgotten comes first, so that there are never more channels
    than before or after; the counters come last."""
    removed, channels = change.removed_channels, change.channels
    if len(removed) + len(channels) <= _MOST_JOINED:
        return [change]
    parts = [
        StateChange(removed_channels=removed[at : at + _MOST_JOINED])
        for at in range(0, len(removed), _MOST_JOINED)
    ]
    parts += [
        StateChange(channels=channels[at : at + _MOST_JOINED]) for at in range(0, len(channels), _MOST_JOINED)
    ]
    last = parts[-1]
    last.pts, last.qts, last.date, last.seq = change.pts, change.qts, change.date, change.seq
    return parts
