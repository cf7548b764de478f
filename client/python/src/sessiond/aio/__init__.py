"""The client of sessiond for asyncio: what :mod:`sessiond` has, to be awaited.

::

    import sessiond
    from sessiond import aio

    async with aio.connect() as client, client.hold("alice", wait=True) as hold:
        await hold.advance(sessiond.StateChange(pts=1042))

Sessions, events and errors are those of :mod:`sessiond`.
"""

from .advance_stream import AdvanceStream
from .client import Client, connect
from .held import HeldSession
from .hold import Hold, HoldRequest
from .watch import Watch

__all__ = ["AdvanceStream", "Client", "HeldSession", "Hold", "HoldRequest", "Watch", "connect"]
