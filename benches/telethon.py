"""Writes an account's state into Telethon's own session file as fast as it goes, as its update loop and its users do: set
the state, save.

    python telethon.py FILE SECONDS

FILE ends in `.session`, and is made if it is not there. A line says that all is ready; after a line on the standard input
it begins. What it measured is one line of JSON: a sample as the benchmark's own generators have it.
"""

import datetime
import json
import os
import sqlite3
import sys
import time

from telethon.sessions import SQLiteSession
from telethon.tl import types


def main(file, seconds):
    session = SQLiteSession(file)
    session.save()
    counter = os.getpid() % 1_000 * 2_000_000
    latencies, refused = {}, 0
    say(None)
    sys.stdin.readline()
    end = time.monotonic() + seconds
    while (begun := time.monotonic_ns()) < end * 1e9:
        counter += 1
        date = datetime.datetime.now(datetime.timezone.utc)
        try:
            session.set_update_state(0, types.updates.State(counter, 0, date, 0, unread_count=0))
            session.save()
            written = True
        except sqlite3.OperationalError:
            # "database is locked": what Telethon's users get, after 5 s.
            refused += 1
            written = False
        # Whole microseconds: a line for each nanosecond would be long.
        latency = (time.monotonic_ns() - begun) // 1_000 * 1_000
        times, writes = latencies.get(latency, (0, 0))
        latencies[latency] = (times + 1, writes + written)
    operations = sum(writes for _, writes in latencies.values())
    took = max(seconds, seconds + time.monotonic() - end)
    pairs = [[latency, times] for latency, (times, _) in latencies.items()]
    say({"operations": operations, "seconds": took, "latencies": pairs, "refused": refused})


def say(what):
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
