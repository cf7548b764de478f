"""Writes an account's state through the Python client as fast as it goes, with the token of a hold, as a process that works for
its holder: set the state, durably.

    python client.py SECONDS

SESSIOND_SOCKET, SESSIOND_NAME and SESSIOND_TOKEN are what `sessiond hold` gives its command. A line says that all is ready;
after a line on the standard input it begins. What it measured is one line of JSON: a sample as the benchmark's own generators
have it.
"""

import json
import os
import sys
import time

import sessiond


def main(seconds):
    client = sessiond.connect(label="benchmark")
    held = client.held(os.environ["SESSIOND_NAME"], sessiond.Token.from_hex(os.environ["SESSIOND_TOKEN"]))
    counter = os.getpid() % 1_000 * 2_000_000
    latencies = {}
    held.advance(sessiond.StateChange(pts=counter))
    say(None)
    sys.stdin.readline()
    end = time.monotonic() + seconds
    while (begun := time.monotonic_ns()) < end * 1e9:
        counter += 1
        held.advance(sessiond.StateChange(pts=counter, date=int(time.time())))
        # Whole microseconds: a line for each nanosecond would be long.
        latency = (time.monotonic_ns() - begun) // 1_000 * 1_000
        latencies[latency] = latencies.get(latency, 0) + 1
    took = max(seconds, seconds + time.monotonic() - end)
    pairs = [[latency, times] for latency, times in latencies.items()]
    say({"operations": sum(latencies.values()), "seconds": took, "latencies": pairs, "refused": 0})
    client.close()


def say(what):
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]))
