import { status } from "@grpc/grpc-js";
import { LimitExceeded, type Watch, type WatchEvent } from "@sessiond/client";
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { WatchResponse } from "../dist/gen/sessiond/v1/session_service.js";
import { Fake, refusal } from "./support/fake.js";

function response(revision: bigint, event: WatchResponse["event"], name = ""): WatchResponse {
  return { revision, name, previousRevision: 0n, ...(event && { event }) };
}

const restarted = response(0n, { $case: "restarted", value: { reason: "RESTART_REASON_FIRST" } });
const synced = (revision: bigint): WatchResponse => response(revision, { $case: "synced", value: { storeId: "s" } });
const bookmark = (revision: bigint): WatchResponse => response(revision, { $case: "bookmark", value: {} });
const deleted = (revision: bigint): WatchResponse => response(revision, { $case: "deleted", value: {} }, "alice");

async function take(watch: Watch, count: number): Promise<string[]> {
  const taken: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const { value } = await watch.next();
    assert.ok(value);
    taken.push(brief(value));
  }
  return taken;
}

function brief(event: WatchEvent): string {
  return "revision" in event ? `${event.type} ${event.revision}` : event.type;
}

test("a watch goes on where it was, without an event twice", async (t) => {
  const fake = await Fake.start(t);
  const watch = fake.client(t).watch({ names: ["alice"], bookmarkIntervalMs: 1500 });
  const begun = take(watch, 3);
  const first = await fake.call("watch");
  assert.deepEqual(first.request.bookmarkInterval, { seconds: 1n, nanos: 500_000_000 });
  for (const message of [restarted, synced(5n), deleted(7n)]) first.write(message);
  assert.deepEqual(await begun, ["restarted", "synced 5", "deleted 7"]);
  assert.deepEqual(watch.position, { revision: 7n, storeId: "s" });

  const next = take(watch, 2);
  await fake.restart();
  const second = await fake.call("watch");
  assert.equal(second.request.afterRevision, 7n);
  assert.equal(second.request.storeId, "s");
  for (const message of [synced(7n), deleted(7n), deleted(9n), bookmark(12n)]) second.write(message);
  assert.deepEqual(await next, ["deleted 9", "bookmark 12"]);
  assert.deepEqual(watch.position, { revision: 12n, storeId: "s" });
});

test("a watch that cannot go on says so", async (t) => {
  const fake = await Fake.start(t);
  const watch = fake.client(t).watch({ after: { revision: 5n, storeId: "s" } });
  const events = take(watch, 3);
  const { request } = await fake.call("watch").then((call) => {
    for (const message of [restarted, synced(3n), deleted(4n)]) call.write(message);
    return call;
  });
  assert.equal(request.afterRevision, 5n);
  assert.deepEqual(await events, ["restarted", "synced 3", "deleted 4"]);
  assert.deepEqual(watch.position, { revision: 4n, storeId: "s" });
});

test("a watch that breaks among its snapshots starts over", async (t) => {
  const fake = await Fake.start(t);
  const watch = fake.client(t).watch();
  const first = take(watch, 1);
  (await fake.call("watch")).write(restarted);
  await first;
  assert.equal(watch.position, undefined);
  const second = take(watch, 2);
  await fake.restart();
  const call = await fake.call("watch");
  assert.equal(call.request.afterRevision, undefined);
  call.write(restarted);
  call.write(synced(5n));
  assert.deepEqual(await second, ["restarted", "synced 5"]);
});

test("of the latest, only synced and bookmarks say how far a watch has come", async (t) => {
  const fake = await Fake.start(t);
  const watch = fake.client(t).watch({ mode: "LATEST" });
  const events = take(watch, 3);
  const call = await fake.call("watch");
  assert.equal(call.request.mode, "WATCH_MODE_LATEST");
  for (const message of [restarted, synced(5n), deleted(7n)]) call.write(message);
  await events;
  assert.equal(watch.position?.revision, 5n);
  call.write(bookmark(8n));
  await take(watch, 1);
  assert.equal(watch.position.revision, 8n);
});

test("a watch ends with a refusal, and stays ended", async (t) => {
  const fake = await Fake.start(t);
  const watch = fake.client(t).watch();
  const next = watch.next();
  (await fake.call("watch")).emit("error", refusal(status.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
  await assert.rejects(next, LimitExceeded);
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
});

test("a loop that is left ends its watch, and so does closing it", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const left = (async () => {
    for await (const event of client.watch()) if (event.type === "restarted") break;
  })();
  const call = await fake.call("watch");
  const cancelled = once(call, "cancelled");
  call.write(restarted);
  await Promise.all([left, cancelled]);

  const watch = client.watch();
  const next = watch.next();
  await fake.call("watch");
  watch.close();
  assert.deepEqual(await next, { done: true, value: undefined });
});

test("a signal ends a watch with its own reason", async (t) => {
  const fake = await Fake.start(t);
  const controller = new AbortController();
  const next = fake.client(t).watch({ signal: controller.signal }).next();
  await fake.call("watch");
  controller.abort(new Error("enough"));
  await assert.rejects(next, /enough/u);
});

test("what this version does not know is told as far as it goes", async (t) => {
  const fake = await Fake.start(t);
  const watch = fake.client(t).watch();
  const events = take(watch, 3);
  const call = await fake.call("watch");
  for (const message of [restarted, response(5n, undefined), response(6n, undefined, "alice")]) call.write(message);
  assert.deepEqual(await events, ["restarted", "bookmark 5", "unknown 6"]);
});

test("what is not read of a watch is not taken into memory", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const watch = client.watch();
  const begun = take(watch, 1);
  const call = await fake.call("watch");
  call.write(restarted);
  await begun;
  const label = "x".repeat(100_000);
  const holder = { label, pid: 1, uid: 1, executable: "", host: "" };
  let sent = 0;
  for (let revision = 1n; revision <= 100n; revision += 1n) {
    call.write(response(revision, { $case: "snapshot", value: { holder } }, "alice"), () => (sent += 1));
  }
  // Whatever can be on its way is there by then.
  for (let round = 0; round < 100; round += 1) {
    const load = client.load("alice");
    (await fake.call("load")).answer({ revision: 0n });
    await load;
  }
  assert.ok(sent < 40, `${sent} of 100 events were taken unread`);
  await take(watch, 100);
});
