import assert from "node:assert/strict";
import { test } from "node:test";

import { AdvanceQueue, joined } from "../dist/advance-queue.js";

function queueOf(changes: number): AdvanceQueue {
  const queue = new AdvanceQueue();
  for (let pts = 1; pts <= changes; pts += 1) queue.push(pts, { pts, channels: [], removedChannels: [] });
  return queue;
}

function send(queue: AdvanceQueue, most = Infinity): [number, number | undefined][] {
  const sent: [number, number | undefined][] = [];
  while (sent.length < most) {
    const next = queue.next();
    if (!next) break;
    sent.push([next.sequence, next.content.pts]);
  }
  return sent;
}

test("acknowledgements are counted over all connections", () => {
  const queue = queueOf(5);
  assert.equal(send(queue, 4).length, 4);
  assert.equal(queue.acknowledge(2), 2);
  queue.begin();
  // Those that were sent and not acknowledged are one now.
  assert.deepEqual(send(queue), [
    [1, 4],
    [2, 5],
  ]);
  assert.equal(queue.acknowledge(1), 4);
  assert.equal(queue.acknowledge(2), 5);
  assert.equal(queue.acknowledge(2), 5);
  assert.ok(queue.isEmpty);
});

test("a refused change is named by its own sequence", () => {
  const queue = queueOf(6);
  send(queue, 4);
  assert.deepEqual([queue.firstOf(1), queue.firstOf(4)], [1, 4]);
  queue.acknowledge(1);
  assert.deepEqual([queue.firstOf(2), queue.firstOf(4)], [2, 4]);
  queue.begin();
  send(queue, 3);
  assert.deepEqual([queue.firstOf(1), queue.firstOf(2), queue.firstOf(3)], [2, 5, 6]);
});

test("changes are joined to one with the same effect", () => {
  const one = joined([
    {
      pts: 1,
      date: 5n,
      channels: [
        { id: 1n, pts: 1 },
        { id: 2n, pts: 1 },
      ],
      removedChannels: [3n],
    },
    { pts: 2, channels: [{ id: 3n, pts: 9 }], removedChannels: [1n] },
  ]);
  assert.deepEqual(
    { ...one },
    {
      pts: 2,
      date: 5n,
      qts: undefined,
      seq: undefined,
      channels: [
        { id: 3n, pts: 9 },
        { id: 2n, pts: 1 },
      ].sort((a, b) => Number(a.id - b.id)),
      removedChannels: [1n],
    },
  );
});

test("what is too large for a message is sent again as several, and is durable with the last", () => {
  const queue = new AdvanceQueue();
  const channels = Array.from({ length: 150_000 }, (_, at) => ({ id: BigInt(at + 1), pts: 1 }));
  queue.push(1, { pts: 1, channels: channels.slice(0, 75_000), removedChannels: [] });
  queue.push(2, { pts: 2, channels: channels.slice(75_000), removedChannels: [] });
  send(queue);
  queue.begin();
  assert.deepEqual(send(queue), [
    [1, undefined],
    [2, 2],
  ]);
  assert.equal(queue.acknowledge(1), 0);
  assert.equal(queue.acknowledge(2), 2);
});
