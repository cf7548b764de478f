"""Cancelling what an ``async with`` block waits for, in the manner of ``asyncio.timeout()``."""

from __future__ import annotations

import asyncio
import sys

from ..daemon import LostReason


class Interruption:
    """Cancels the task of a block, once. What others do to that task stays theirs."""

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._interrupted = False

    def enter(self, lost: LostReason | None) -> None:
        """A block begins in the current task. If the hold is lost already, it is interrupted where it first waits."""
        self._task = asyncio.current_task()
        if sys.version_info >= (3, 11) and self._task is not None:
            self._cancelling = self._task.cancelling()
        if lost is not None:
            self.begin(lost)

    def begin(self, reason: LostReason) -> None:
        """Interrupts the block, if there is one. Not before the event loop's next turn: a task that finds out about the loss by
        itself is told by an error, and would have the cancellation before it."""
        if self._task is not None:
            self._task.get_loop().call_soon(self._interrupt)

    def leave(self, error: BaseException | None) -> bool:
        """The block ends. Whether the error that ends it is this interruption, and nothing else."""
        task, self._task = self._task, None
        if task is None or not self._interrupted:
            return False
        if sys.version_info >= (3, 11) and task.uncancel() > self._cancelling:
            return False
        return isinstance(error, asyncio.CancelledError)

    def _interrupt(self) -> None:
        if self._task is not None and not self._interrupted:
            self._interrupted = True
            self._task.cancel()
