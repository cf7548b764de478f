"""What the refusal of a token says of a hold, for programs with asyncio."""

from __future__ import annotations

import asyncio

from .. import errors
from .._standing import TOLD_WITHIN, Standing


async def lost_by(standing: Standing, error: errors.Error) -> errors.Error:
    """The error of a call as one of the hold: when the token is refused, the hold is lost. The reason is its stream's to tell,
    and is waited for a little."""
    if standing.is_about_to_be_lost(error):
        loop = asyncio.get_running_loop()
        told = loop.create_future()

        def tell() -> None:
            if not told.done():
                told.set_result(None)

        standing.when_lost(tell)
        late = loop.call_later(TOLD_WITHIN, tell)
        try:
            # Nothing lies between this future and the task, which so is told by the error before it is interrupted.
            await told
        finally:
            late.cancel()
    return standing.lost_by(error)
