import { status } from "@grpc/grpc-js";
import { type Client, Fenced, HeldByAnother, type Hold, type HoldOptions, Lost, Token } from "@sessiond/client";
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { HoldRequest, HoldResponse } from "../dist/gen/sessiond/v1/session_service.js";
import { Fake, granted, refusal, type StreamCall } from "./support/fake.js";

const ENDED: HoldResponse = { event: { $case: "lost", value: { reason: "LOST_REASON_ENDED_BY_ADMIN" } } };

/** A hold of alice, and the stream that it lives by. */
async function held(
  fake: Fake,
  client: Client,
  options: HoldOptions = {},
): Promise<{ hold: Hold; stream: StreamCall<HoldRequest, HoldResponse> }> {
  const asked = client.hold("alice", options);
  const stream = await fake.call("hold");
  stream.write(granted(3n));
  return { hold: await asked, stream };
}

/** Makes a call and answers it: whatever the client did before is known to the fake then. */
async function roundTrip(fake: Fake, client: Client): Promise<void> {
  const load = client.load("bob");
  (await fake.call("load")).answer({ revision: 0n });
  await load;
}

test("who waits is told who is in the way, and then holds", async (t) => {
  const fake = await Fake.start(t);
  const told: string[] = [];
  const asked = fake.client(t, { label: "second" }).hold("alice", {
    wait: true,
    onWaiting: ({ holder, position }) => told.push(`${position}: ${holder?.label ?? "nobody"}`),
  });
  const stream = await fake.call("hold");
  assert.deepEqual({ ...stream.request, token: "" }, { name: "alice", label: "second", wait: true, token: "" });
  const holder = { label: "first", pid: 1, uid: 1, executable: "", host: "" };
  stream.write({ event: { $case: "waiting", value: { position: 1, holder } } });
  stream.write({ event: { $case: "waiting", value: { position: 1 } } });
  stream.write(granted(3n));
  const hold = await asked;
  assert.deepEqual(told, ["1: first", "1: nobody"]);
  assert.equal(hold.fence, 3n);
  assert.equal(hold.session, undefined);
});

test("a refusal is told, and a signal leaves the line", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const refused = client.hold("alice");
  (await fake.call("hold")).emit("error", refusal(status.FAILED_PRECONDITION, "HELD_BY_ANOTHER", { label: "bot" }));
  await assert.rejects(refused, HeldByAnother);

  const controller = new AbortController();
  const waiting = client.hold("alice", { wait: true, signal: controller.signal });
  const stream = await fake.call("hold");
  const left = once(stream, "cancelled");
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/u);
  await left;
});

test("a hold goes on past broken connections, by its token", async (t) => {
  const fake = await Fake.start(t);
  const { hold } = await held(fake, fake.client(t));
  for (let round = 0; round < 3; round += 1) {
    await fake.restart();
    const again = await fake.call("hold");
    assert.deepEqual(again.request.token, Buffer.from(hold.token.expose()));
    // Whatever it says, if it does not say that the hold has ended.
    again.emit("error", refusal(status.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
    (await fake.call("hold")).write(granted(3n));
  }
  assert.equal(hold.signal.aborted, false);
});

test("a lost hold is told by its callback and its signal, and by every later call", async (t) => {
  const fake = await Fake.start(t);
  const told: Lost[] = [];
  const { hold, stream } = await held(fake, fake.client(t), { onLost: (lost) => told.push(lost) });
  const aborted = once(hold.signal, "abort");
  stream.write(ENDED);
  await aborted;
  const [lost] = told;
  assert.ok(lost instanceof Lost);
  assert.equal(hold.signal.reason, lost);
  assert.equal(lost.reason, "ENDED_BY_ADMIN");
  for (const call of [hold.load(), hold.advance({ pts: 1 }), hold.peers.get([{ id: 5n }]), hold.release()]) {
    await assert.rejects(call, { name: "Lost", code: "LOST", reason: "ENDED_BY_ADMIN", session: "alice" });
  }
  assert.equal(told.length, 1);
});

test("the stream of a lost hold stays open until the program lets go", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const { hold, stream } = await held(fake, client);
  const { signal } = hold;
  stream.write(ENDED);
  await once(signal, "abort");
  await roundTrip(fake, client);
  assert.equal(stream.cancelled, false);
  const closed = once(stream, "cancelled");
  await hold[Symbol.asyncDispose]();
  await closed;
});

test("a hold whose token is refused is lost", async (t) => {
  const fake = await Fake.start(t);
  const { hold } = await held(fake, fake.client(t));
  const { signal } = hold;
  await fake.restart();
  (await fake.call("hold")).emit("error", refusal(status.FAILED_PRECONDITION, "FENCED"));
  await once(signal, "abort");
  assert.equal((signal.reason as Lost).reason, "FENCED");
});

test("a call that is told that the hold was lost is enough", async (t) => {
  const fake = await Fake.start(t);
  const { hold } = await held(fake, fake.client(t));
  const write = hold.advance({ pts: 1 });
  (await fake.call("advance")).refuse(refusal(status.FAILED_PRECONDITION, "FENCED"));
  await assert.rejects(write, { name: "Lost", reason: "FENCED" });
  await assert.rejects(hold.load(), Lost);
});

test("a token that was given and is refused is fenced, not lost", async (t) => {
  const fake = await Fake.start(t);
  const session = fake.client(t).held("alice", new Token(new Uint8Array(32)));
  const load = session.load();
  (await fake.call("load")).refuse(refusal(status.FAILED_PRECONDITION, "FENCED"));
  await assert.rejects(load, Fenced);
  assert.ok(session.signal.reason instanceof Fenced);
});

test("a release whose answer was cut has gone through if it is refused then", async (t) => {
  const fake = await Fake.start(t);
  const { hold } = await held(fake, fake.client(t));
  const released = hold.release();
  await fake.call("release");
  await fake.restart();
  (await fake.call("release")).refuse(refusal(status.FAILED_PRECONDITION, "FENCED"));
  await released;
});

test("a release that is refused says that the hold was lost", async (t) => {
  const fake = await Fake.start(t);
  const { hold, stream } = await held(fake, fake.client(t));
  const closed = once(stream, "cancelled");
  const released = hold.release();
  (await fake.call("release")).refuse(refusal(status.FAILED_PRECONDITION, "FENCED"));
  await assert.rejects(released, { name: "Lost", reason: "FENCED" });
  await closed;
});

test("work with a hold comes to what it comes to, after the release", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  const answers = (async () => {
    for (let round = 0; round < 2; round += 1) {
      (await fake.call("hold")).write(granted(3n));
      (await fake.call("release")).answer({});
    }
  })();
  assert.equal(await client.withHold("alice", {}, (hold) => hold.fence), 3n);
  await assert.rejects(
    client.withHold("alice", {}, () => Promise.reject(new Error("mine"))),
    /mine/u,
  );
  await answers;
});

test("work with a hold that is lost fails at once, and the session is let go when the work has ended", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  let end: () => void = () => undefined;
  const work = client.withHold("alice", {}, () => new Promise<void>((ended) => (end = ended)));
  const stream = await fake.call("hold");
  stream.write(granted(3n));
  stream.write(ENDED);
  await assert.rejects(work, { name: "Lost", reason: "ENDED_BY_ADMIN" });
  await roundTrip(fake, client);
  assert.equal(stream.cancelled, false);
  const closed = once(stream, "cancelled");
  end();
  await closed;
});

test("what a hold shows of itself has no secret in it", async (t) => {
  const fake = await Fake.start(t);
  const { hold } = await held(fake, fake.client(t));
  const { inspect } = await import("node:util");
  assert.equal(inspect(hold), "Hold(alice, held)");
  assert.equal(JSON.stringify(hold), '{"name":"alice"}');
  assert.doesNotMatch(inspect(hold, { showHidden: true, depth: null }), /171|abab/u);
});
