"""What the refusal of a token says of a hold, for programs with threads."""

from __future__ import annotations

import threading

from . import errors
from ._standing import TOLD_WITHIN, Standing


def lost_by(standing: Standing, error: errors.Error) -> errors.Error:
    """The error of a call as one of the hold: when the token is refused, the hold is lost. The reason is its stream's to tell,
    and is waited for a little."""
    if standing.is_about_to_be_lost(error):
        told = threading.Event()
        standing.when_lost(told.set)
        told.wait(TOLD_WITHIN)
    return standing.lost_by(error)
