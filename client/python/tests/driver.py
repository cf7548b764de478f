"""The driver of the Python client: does what the runner of the scenarios tells it (tests/conformance/README.md), with the
public interface of `sessiond`, or with `--aio` of `sessiond.aio`, alone."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import time
import traceback
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import driver_json as told
import grpc
import grpc.aio
from driver_json import Json

import sessiond
import sessiond.aio


class Threads:
    """How a program with threads makes calls: each in one of its own."""

    connect = staticmethod(sessiond.connect)

    async def call(self, function: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(function)

    async def all(self, items: Callable[[], Any]) -> list[Any]:
        return await asyncio.to_thread(lambda: list(items()))

    async def next(self, watch: Any) -> Any:
        return await asyncio.to_thread(lambda: next(watch, None))

    async def times(self, call: Callable[[int], Any], count: int) -> list[float]:
        def measure() -> list[float]:
            taken = []
            for at in range(count):
                begun = time.perf_counter()
                call(at)
                taken.append(time.perf_counter() - begun)
            return taken

        return await asyncio.to_thread(measure)

    def channel(self, target: str) -> grpc.Channel:
        return grpc.insecure_channel(target, (("grpc.default_authority", "localhost"),))


class Loop:
    """How a program with asyncio makes calls: each is awaited."""

    connect = staticmethod(sessiond.aio.connect)

    async def call(self, function: Callable[[], Any]) -> Any:
        return await function()

    async def all(self, items: Callable[[], Any]) -> list[Any]:
        return [item async for item in items()]

    async def next(self, watch: Any) -> Any:
        return await anext(watch, None)

    async def times(self, call: Callable[[int], Any], count: int) -> list[float]:
        taken = []
        for at in range(count):
            begun = time.perf_counter()
            await call(at)
            taken.append(time.perf_counter() - begun)
        return taken

    def channel(self, target: str) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(target, (("grpc.default_authority", "localhost"),))


class Program:
    """Everything that the runner has given a name to, and what it may do with it."""

    def __init__(self, way: Threads | Loop) -> None:
        self._way = way
        self._loop = asyncio.get_running_loop()
        self._clients: dict[str, Any] = {"": way.connect(label="driver")}
        self._holds: dict[str, Any] = {}
        self._lost: dict[str, asyncio.Future[sessiond.LostReason]] = {}
        self._streams: dict[str, Any] = {}
        self._watches: dict[str, Any] = {}

    async def play(self, line: Json, say: Callable[[Json], None]) -> Json:
        if line["call"] == "hold":
            return await self.hold(line, say)
        answer: Json = await getattr(self, line["call"])(line)
        return answer

    async def connect(self, line: Json) -> Json:
        deadline = line.get("deadline_ms", 30_000) / 1000
        self._clients[line["as"]] = self._way.connect(deadline=deadline, label=line.get("label", "driver"))
        return {}

    async def hold(self, line: Json, say: Callable[[Json], None]) -> Json:
        def on_waiting(waiting: sessiond.Waiting) -> None:
            say({"event": {"waiting": told.waiting(waiting)}})

        hold = await self._way.call(
            lambda: self._client(line).hold(
                line["name"],
                wait=line.get("wait", False),
                label=line.get("label"),
                on_waiting=on_waiting,
                on_lost=self._on_lost(line["as"]),
            )
        )
        self._holds[line["as"]] = hold
        return told.present(
            fence=str(hold.fence), revision=str(hold.revision), session=told.session(hold.session)
        )

    async def token(self, line: Json) -> Json:
        return {"token": told.text(self._held(line).token.expose())}

    async def with_token(self, line: Json) -> Json:
        token = sessiond.Token(b64decode(line["token"]))
        self._holds[line["as"]] = self._client(line).held(line["name"], token)
        return {}

    async def lost(self, line: Json) -> Json:
        reason = await asyncio.shield(self._lost[line["hold"]])
        return {"lost": reason.value}

    async def release(self, line: Json) -> Json:
        await self._way.call(self._held(line).release)
        return {}

    async def drop(self, line: Json) -> Json:
        del self._holds[line["hold"]]
        gc.collect()
        return {}

    async def load(self, line: Json) -> Json:
        if "hold" in line:
            return told.loaded(await self._way.call(self._held(line).load))
        return told.loaded(await self._way.call(lambda: self._client(line).load(line["name"])))

    async def save(self, line: Json) -> Json:
        held, session = self._held(line), told.session_given(line["session"])
        if line.get("mode", "REPLACE") == "REPLACE":
            return self._written(await self._way.call(lambda: held.save(session, **self._write(line))))
        clear = told.clear_given(line.get("clear"))
        return self._written(
            await self._way.call(lambda: held.merge(session, clear=clear, **self._write(line)))
        )

    async def advance(self, line: Json) -> Json:
        held, change = self._held(line), told.change_given(line["change"])
        return self._written(await self._way.call(lambda: held.advance(change, **self._write(line))))

    async def delete(self, line: Json) -> Json:
        held = self._held(line)
        return self._written(await self._way.call(lambda: held.delete(**self._write(line))))

    async def stream(self, line: Json) -> Json:
        self._streams[line["as"]] = self._held(line).advance_stream()
        return {}

    async def push(self, line: Json) -> Json:
        stream, sequence = self._streams[line["stream"]], 0
        for given in line["changes"]:
            change = told.change_given(given)
            sequence = await self._way.call(lambda: stream.push(change))
        return {"sequence": str(sequence)}

    async def durable(self, line: Json) -> Json:
        stream = self._streams[line["stream"]]
        reached = await self._way.call(lambda: stream.durable(int(line["sequence"])))
        return {"sequence": str(reached.sequence), "revision": str(reached.revision)}

    async def finish(self, line: Json) -> Json:
        revision = await self._way.call(self._streams.pop(line["stream"]).finish)
        return told.present(revision=None if revision is None else str(revision))

    async def watch(self, line: Json) -> Json:
        after, interval = line.get("after"), line.get("bookmark_interval_ms")
        self._watches[line["as"]] = self._client(line).watch(
            line.get("names", ()),
            name_prefix=line.get("name_prefix", ""),
            mode=sessiond.WatchMode(line.get("mode", "EVERY_CHANGE")),
            after=after and sessiond.WatchPosition(int(after["revision"]), after.get("store_id", "")),
            bookmark_interval=None if interval is None else interval / 1000,
        )
        return {}

    async def events(self, line: Json) -> Json:
        watch, events = self._watches[line["watch"]], list[Json]()
        while len(events) < line["count"]:
            event = await self._way.next(watch)
            if line.get("bookmarks") or not isinstance(event, sessiond.Bookmark):
                events.append(told.event(event))
        return {"events": events}

    async def restarted(self, line: Json) -> Json:
        while True:
            event = await self._way.next(self._watches[line["watch"]])
            if isinstance(event, sessiond.Restarted):
                return {"reason": told.event(event)["reason"]}

    async def position(self, line: Json) -> Json:
        position = self._watches[line["watch"]].position
        return {} if position is None else {"revision": str(position.revision), "store_id": position.store_id}

    async def close(self, line: Json) -> Json:
        self._watches.pop(line["watch"]).close()
        return {}

    async def list(self, line: Json) -> Json:
        found = await self._way.all(lambda: self._client(line).list(line.get("name_prefix", "")))
        return {"sessions": [told.summary(summary) for summary in found]}

    async def info(self, line: Json) -> Json:
        info = await self._way.call(self._client(line).info)
        return {"engine": info.engine, "store_id": info.store_id, "features": list(info.features)}

    async def end_hold(self, line: Json) -> Json:
        await self._way.call(lambda: self._client(line).end_hold(line["name"]))
        return {}

    async def put_peers(self, line: Json) -> Json:
        held, peers = self._held(line), [told.peer_given(peer) for peer in line["peers"]]
        kept = await self._way.call(lambda: held.put_peers(peers))
        return {"revision": str(kept.revision), "changed": kept.changed}

    async def get_peers(self, line: Json) -> Json:
        held, keys = self._held(line), [told.peer_key_given(key) for key in line["keys"]]
        found = await self._way.call(lambda: held.peers(keys))
        return {"peers": [told.peer(peer) for peer in found]}

    async def list_peers(self, line: Json) -> Json:
        held, kinds = self._held(line), [told.kind_given(kind) for kind in line.get("kinds", ())]
        after_id, seen_after = told.number(line.get("after_id")), told.number(line.get("seen_after"))
        found = await self._way.all(
            lambda: held.list_peers(kinds=kinds, after_id=after_id, seen_after=seen_after)
        )
        return {"peers": [told.peer(peer) for peer in found]}

    async def delete_peers(self, line: Json) -> Json:
        held, ids = self._held(line), [int(id) for id in line.get("ids", ())]
        call = held.delete_all_peers if line.get("all") else lambda: held.delete_peers(ids)
        kept = await self._way.call(call)
        return {"revision": str(kept.revision), "deleted": kept.changed}

    async def put_attributes(self, line: Json) -> Json:
        held = self._held(line)
        attributes = [told.attribute_given(given) for given in line.get("attributes", ())]
        delete = line.get("delete_keys", ())
        return self._written(await self._way.call(lambda: held.put_attributes(attributes, delete=delete)))

    async def get_attributes(self, line: Json) -> Json:
        held = self._held(line)
        found = await self._way.call(lambda: held.attributes(line["keys"]))
        return {"attributes": [told.attribute(attribute) for attribute in found]}

    async def list_attributes(self, line: Json) -> Json:
        held, keys_only = self._held(line), line.get("keys_only", False)
        found = await self._way.all(lambda: held.list_attributes(line.get("prefix", ""), keys_only=keys_only))
        return {"attributes": [told.attribute(attribute) for attribute in found]}

    async def delete_attributes(self, line: Json) -> Json:
        held = self._held(line)
        if "prefix" in line:
            kept = await self._way.call(lambda: held.delete_attributes_below(line["prefix"]))
        else:
            kept = await self._way.call(lambda: held.delete_attributes(line["keys"]))
        return {"revision": str(kept.revision), "deleted": kept.changed}

    async def show(self, line: Json) -> Json:
        held = self._held(line)
        shown = (held, getattr(held, "session", None), held.token)
        return {"text": " ".join(f"{thing!r} {thing!s}" for thing in shown)}

    async def measure(self, line: Json) -> Json:
        if line["what"] == "empty":
            channel = self._way.channel("unix:" + os.environ["SESSIOND_SOCKET"])
            check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
            taken = await self._way.times(lambda _: check(b""), line["count"])
        else:
            held = self._held(line)
            changes = [sessiond.StateChange(pts=pts) for pts in range(1, line["count"] + 1)]
            taken = await self._way.times(lambda at: held.advance(changes[at]), line["count"])
        return {"p50_us": statistics.median(taken) * 1e6}

    def _client(self, line: Json) -> Any:
        return self._clients[line.get("client", "")]

    def _held(self, line: Json) -> Any:
        return self._holds[line["hold"]]

    def _on_lost(self, name: str) -> Callable[[sessiond.LostReason], object]:
        lost = self._lost[name] = self._loop.create_future()
        return lambda reason: self._loop.call_soon_threadsafe(lost.set_result, reason)

    def _write(self, line: Json) -> Json:
        return {
            "expected_revision": told.number(line.get("expected_revision")),
            "request_id": line.get("request_id"),
        }

    def _written(self, revision: int) -> Json:
        return {"revision": str(revision)}


async def main() -> None:
    # A call that waits takes its thread for as long.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
    program = Program(Loop() if "--aio" in sys.argv[1:] else Threads())

    def say(line: Json) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    async def answer(line: Json) -> None:
        id = line["id"]
        try:
            say({"id": id, "ok": await program.play(line, lambda event: say({"id": id, **event}))})
        except sessiond.Error as error:
            say({"id": id, "error": told.refusal(error)})
        except Exception:
            say({"id": id, "error": {"reason": "DRIVER", "message": traceback.format_exc()}})

    playing = set()
    while text := await asyncio.to_thread(sys.stdin.readline):
        task = asyncio.create_task(answer(json.loads(text)))
        playing.add(task)
        task.add_done_callback(playing.discard)
    # At the end of its input it exits without letting anything go.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
