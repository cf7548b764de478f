import { status } from "@grpc/grpc-js";
import { Closed, connect, StorageFailed, Token, Unavailable } from "@sessiond/client";
import assert from "node:assert/strict";
import { test } from "node:test";

import { Fake, refusal } from "./support/fake.js";

const TOKEN = new Token(new Uint8Array(32));

test("a write is tried again with the same request id, until it is answered", async (t) => {
  const fake = await Fake.start(t);
  const write = fake.client(t).held("alice", TOKEN).advance({ pts: 5 });
  const first = await fake.call("advance");
  assert.match(first.request.requestId, /^[0-9a-f-]{36}$/u);
  await fake.restart();
  const second = await fake.call("advance");
  second.refuse(refusal(status.UNAVAILABLE, "SHUTTING_DOWN"));
  const third = await fake.call("advance");
  third.refuse(refusal(status.INTERNAL, "STORAGE_FAILED"));
  const fourth = await fake.call("advance");
  fourth.answer({ revision: 9n });
  assert.equal(await write, 9n);
  assert.deepEqual(
    [second, third, fourth].map(({ request }) => request),
    [first.request, first.request, first.request],
  );
});

test("each write has a request id of its own, or the one that is given", async (t) => {
  const fake = await Fake.start(t);
  const held = fake.client(t).held("alice", TOKEN);
  const ids = new Set<string>();
  for (const requestId of [undefined, undefined, "mine"]) {
    const write = held.delete({ requestId, expectedRevision: 3n });
    const call = await fake.call("delete");
    assert.equal(call.request.expectedRevision, 3n);
    ids.add(call.request.requestId);
    call.answer({ revision: 1n });
    await write;
  }
  assert.equal(ids.size, 3);
  assert.ok(ids.has("mine"));
});

test("a daemon that is away until the deadline is unavailable, and the error says what to do", async (t) => {
  const client = connect({ socket: "/nowhere/sessiond.sock", deadlineMs: 50 });
  t.after(() => client.close());
  await assert.rejects(client.load("alice"), (error: Unavailable) => {
    assert.ok(error instanceof Unavailable);
    assert.equal(error.socket, "/nowhere/sessiond.sock");
    assert.match(error.message, /ENOENT.*sessiond serve.*SESSIOND_SOCKET/u);
    return true;
  });
  await assert.rejects(client.hold("alice"), Unavailable);
  await assert.rejects(client.watch().next(), Unavailable);
});

test("a daemon that does not answer until the deadline is unavailable", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const load = client.load("alice", { deadlineMs: 100 });
  await fake.call("load");
  await assert.rejects(load, Unavailable);
});

test("a disk that fails until the deadline is told as such", async (t) => {
  const fake = await Fake.start(t);
  const load = fake.client(t).load("alice", { deadlineMs: 100 });
  const failing = (async () => {
    for (;;) (await fake.call("load")).refuse(refusal(status.INTERNAL, "STORAGE_FAILED"));
  })();
  await assert.rejects(Promise.race([load, failing]), StorageFailed);
});

test("a signal ends a call with its own reason, in the middle of an attempt and between two", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const controller = new AbortController();
  const reason = new Error("enough");
  const load = client.load("alice", { signal: controller.signal });
  await fake.call("load");
  controller.abort(reason);
  await assert.rejects(load, reason);
  await assert.rejects(client.load("alice", { signal: controller.signal }), reason);

  fake.kill();
  const between = new AbortController();
  const retried = client.load("alice", { signal: between.signal });
  setImmediate(() => between.abort(reason));
  await assert.rejects(retried, reason);
});

test("a client that is closed ends what is under way", async (t) => {
  const fake = await Fake.start(t);
  const client = connect({ socket: fake.socket });
  const load = client.load("alice");
  await fake.call("load");
  const watch = client.watch();
  const next = watch.next();
  await fake.call("watch");
  client.close();
  await assert.rejects(load, Closed);
  assert.deepEqual(await next, { done: true, value: undefined });
  await assert.rejects(client.load("alice"), Closed);
});
