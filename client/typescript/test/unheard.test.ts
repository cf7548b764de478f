import { status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import type { HoldRequest, HoldResponse, LoadRequest, LoadResponse } from "../dist/gen/sessiond/v1/session_service.js";
import { Fake, granted, refusal, type StreamCall, type UnaryCall } from "./support/fake.js";

/** How the program ended that listens to nothing. */
interface End {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function program(fake: Fake, ...mode: string[]): Promise<End> {
  const child = spawn(process.execPath, [join(__dirname, "unheard.js"), fake.socket, ...mode]);
  const ended = once(child, "close") as Promise<[number]>;
  return Promise.all([ended, text(child.stdout), text(child.stderr)]).then(([[code], out, error]) => ({
    code,
    out,
    error,
  }));
}

async function grant(fake: Fake): Promise<StreamCall<HoldRequest, HoldResponse>> {
  const stream = await fake.call("hold");
  stream.write(granted(3n));
  return stream;
}

/** Ends a hold: whatever is answered after this comes after the loss. */
function end(stream: StreamCall<HoldRequest, HoldResponse>): Promise<void> {
  const lost: HoldResponse = { event: { $case: "lost", value: { reason: "LOST_REASON_ENDED_BY_ADMIN" } } };
  return new Promise((written) => stream.write(lost, () => written()));
}

/** A hold that is lost while the program waits for the answer to a call. */
async function lostWhileReading(fake: Fake): Promise<UnaryCall<LoadRequest, LoadResponse>> {
  const stream = await grant(fake);
  const call = await fake.call("load");
  await end(stream);
  return call;
}

test("a loss that nobody listens to ends the process, and says why", async (t) => {
  const fake = await Fake.start(t);
  const ended = program(fake);
  await end(await grant(fake));
  const { code, out, error } = await ended;
  assert.deepEqual([code, out], [1, "held\n"]);
  assert.match(error, /Lost: the hold of alice was lost: an operator ended it/u);
});

test("a loss that a call under way fails with is heard", async (t) => {
  const fake = await Fake.start(t);
  const ended = program(fake, "reading");
  (await lostWhileReading(fake)).refuse(refusal(status.FAILED_PRECONDITION, "FENCED"));
  assert.deepEqual(await ended, {
    code: 0,
    out: "held\nLost: the hold of alice was lost: an operator ended it\n",
    error: "",
  });
});

test("a loss that a call under way does not fail with is not heard", async (t) => {
  const fake = await Fake.start(t);
  const ended = program(fake, "reading");
  (await lostWhileReading(fake)).answer({ revision: 0n });
  const { code, error } = await ended;
  assert.equal(code, 1);
  assert.match(error, /Lost: the hold of alice was lost/u);
});
