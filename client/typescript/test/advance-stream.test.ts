import { status } from "@grpc/grpc-js";
import { type ChangeRefused, InvalidArgument, Lost, Token, Unavailable } from "@sessiond/client";
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { Fake, granted, nextRequest, refusal } from "./support/fake.js";

const TOKEN = new Token(new Uint8Array(32).fill(7));

test("only the first change of a connection shows the token", async (t) => {
  const fake = await Fake.start(t);
  const stream = fake.client(t).held("alice", TOKEN).advanceStream();
  assert.deepEqual([await stream.push({ pts: 1 }), await stream.push({ pts: 2 })], [1n, 2n]);
  const call = await fake.call("advanceStream");
  const first = await nextRequest(call);
  const second = await nextRequest(call);
  assert.deepEqual([first.name, first.token.length, first.sequence], ["alice", 32, 1n]);
  assert.deepEqual([second.name, second.token.length, second.sequence], ["", 0, 2n]);
  call.write({ sequence: 2n, revision: 9n });
  assert.deepEqual(await stream.durable(1n), { sequence: 2n, revision: 9n });
  assert.equal(await stream.finish(), 9n);
  await assert.rejects(stream.push({ pts: 3 }), TypeError);
});

test("what was not acknowledged is sent again as one, so that no counter goes back", async (t) => {
  const fake = await Fake.start(t);
  const stream = fake.client(t).held("alice", TOKEN).advanceStream();
  for (const pts of [1, 2, 3]) await stream.push({ pts });
  const first = await fake.call("advanceStream");
  for (let sent = 0; sent < 3; sent += 1) await nextRequest(first);
  first.write({ sequence: 1n, revision: 8n });
  await stream.durable(1n);
  await fake.restart();
  const second = await fake.call("advanceStream");
  const again = await nextRequest(second);
  assert.deepEqual([again.sequence, again.change?.pts, again.token.length], [1n, 3, 32]);
  second.write({ sequence: 1n, revision: 9n });
  assert.deepEqual(await stream.durable(3n), { sequence: 3n, revision: 9n });
});

test("the first change that is refused ends the stream, which says which it was", async (t) => {
  const fake = await Fake.start(t);
  const stream = fake.client(t).held("alice", TOKEN).advanceStream();
  for (const pts of [1, 2, 3]) await stream.push({ pts });
  const call = await fake.call("advanceStream");
  for (let sent = 0; sent < 3; sent += 1) await nextRequest(call);
  call.write({ sequence: 1n, revision: 8n });
  call.emit("error", refusal(status.INVALID_ARGUMENT, "INVALID_SESSION", { sequence: "2" }));
  const refused = { name: "ChangeRefused", sequence: 2n, code: "CHANGE_REFUSED" };
  await assert.rejects(stream.durable(3n), refused);
  await assert.rejects(stream.durable(3n), (error: ChangeRefused) => error.refusal instanceof InvalidArgument);
  await assert.rejects(stream.push({ pts: 4 }), refused);
  await assert.rejects(stream.finish(), refused);
});

test("a change that fits into no message is not added", async (t) => {
  const fake = await Fake.start(t);
  const stream = fake.client(t).held("alice", TOKEN).advanceStream();
  await assert.rejects(stream.push({ pts: 2 ** 31 }), { name: "InvalidArgument" });
  assert.equal(await stream.push({ pts: 1 }), 1n);
});

test("a stream ends with its hold, and when no daemon answers in time", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t, { deadlineMs: 200 });
  const asked = client.hold("alice");
  const lifeLine = await fake.call("hold");
  lifeLine.write(granted(3n));
  const hold = await asked;
  const { signal } = hold;
  const stream = hold.advanceStream();
  await stream.push({ pts: 1 });
  const call = await fake.call("advanceStream");
  lifeLine.write({ event: { $case: "lost", value: { reason: "LOST_REASON_ENDED_BY_ADMIN" } } });
  await Promise.all([once(signal, "abort"), once(call, "cancelled")]);
  await assert.rejects(stream.durable(1n), Lost);

  const other = client.held("bob", TOKEN).advanceStream();
  await other.push({ pts: 1 });
  fake.kill();
  await assert.rejects(other.durable(1n), Unavailable);
});
