import { status } from "@grpc/grpc-js";
import * as sessiond from "@sessiond/client";
import assert from "node:assert/strict";
import { test } from "node:test";

import { Fake, refusal } from "./support/fake.js";

const REFUSALS = [
  [status.INVALID_ARGUMENT, "INVALID_NAME", {}, sessiond.InvalidName, {}],
  [status.INVALID_ARGUMENT, "INVALID_SESSION", {}, sessiond.InvalidArgument, { reason: "INVALID_SESSION" }],
  [status.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN", {}, sessiond.InvalidArgument, { reason: "INVALID_PAGE_TOKEN" }],
  [status.INVALID_ARGUMENT, "TOKEN_REQUIRED", {}, sessiond.InvalidArgument, { reason: "TOKEN_REQUIRED" }],
  [status.INVALID_ARGUMENT, "REQUEST_ID_REUSED", {}, sessiond.InvalidArgument, { reason: "REQUEST_ID_REUSED" }],
  [
    status.FAILED_PRECONDITION,
    "HELD_BY_ANOTHER",
    { label: "bot", pid: "42", since: "2026-01-02T03:04:05.678901234Z" },
    sessiond.HeldByAnother,
    {
      label: "bot",
      pid: 42,
      since: new Date("2026-01-02T03:04:05.678Z"),
      message: "bot (process 42) holds the session",
    },
  ],
  [
    status.FAILED_PRECONDITION,
    "HELD_BY_ANOTHER",
    { label: "", pid: "0", since: "" },
    sessiond.HeldByAnother,
    { label: "", pid: undefined, since: undefined, message: "another client holds the session" },
  ],
  [status.FAILED_PRECONDITION, "FENCED", {}, sessiond.Fenced, {}],
  [
    status.ABORTED,
    "REVISION_MISMATCH",
    { revision: `${2n ** 62n}` },
    sessiond.RevisionMismatch,
    { current: 2n ** 62n },
  ],
  [status.FAILED_PRECONDITION, "FILE_IN_USE", { pids: "7,8" }, sessiond.FileInUse, { pids: [7, 8] }],
  [status.FAILED_PRECONDITION, "FILE_IN_USE", { pids: "" }, sessiond.FileInUse, { pids: [] }],
  [status.FAILED_PRECONDITION, "FOREIGN_FILE", {}, sessiond.ForeignFile, {}],
  [status.PERMISSION_DENIED, "NOT_PERMITTED", {}, sessiond.NotPermitted, {}],
  [status.DATA_LOSS, "SESSION_DAMAGED", {}, sessiond.Damaged, { message: "the test refuses" }],
  [status.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", {}, sessiond.LimitExceeded, {}],
  [status.RESOURCE_EXHAUSTED, "STORAGE_FULL", {}, sessiond.StorageFull, {}],
  [status.UNIMPLEMENTED, "SOMETHING_NEW", {}, sessiond.Unexpected, {}],
] as const;

test("every reason is an error of its own, with its fields", async (t) => {
  const fake = await Fake.start(t);
  const client = fake.client(t);
  for (const [code, reason, metadata, Class, fields] of REFUSALS) {
    const load = client.load("alice");
    (await fake.call("load")).refuse(refusal(code, reason, metadata));
    await assert.rejects(load, (error: sessiond.SessiondError) => {
      assert.ok(error instanceof Class && error instanceof sessiond.SessiondError, reason);
      assert.equal(error.name, Class.name);
      assert.equal(error.code, Class === sessiond.Unexpected ? "UNEXPECTED" : reason);
      for (const [field, value] of Object.entries(fields)) {
        assert.deepEqual(error[field as keyof typeof error], value, `${reason}: ${field}`);
      }
      return true;
    });
  }
});

test("a name that is none is told before anything is sent", async (t) => {
  const client = sessiond.connect({ socket: "/nowhere" });
  t.after(() => client.close());
  for (const name of ["", "../x", ".x", "-x", "x\n", "é", "x".repeat(129)]) {
    await assert.rejects(client.load(name), sessiond.InvalidName, name);
    await assert.rejects(client.hold(name), sessiond.InvalidName, name);
    await assert.rejects(client.endHold(name), sessiond.InvalidName, name);
    assert.throws(() => client.watch({ names: [name] }), sessiond.InvalidName, name);
    assert.throws(() => client.held(name, new sessiond.Token(new Uint8Array(32))), sessiond.InvalidName, name);
  }
});

test("a number that is too large for its field is refused before anything is sent", async (t) => {
  const client = sessiond.connect({ socket: "/nowhere" });
  t.after(() => client.close());
  const held = client.held("alice", new sessiond.Token(new Uint8Array(32)));
  await assert.rejects(held.advance({ pts: 2 ** 31 }), sessiond.InvalidArgument);
  await assert.rejects(held.advance({ date: 2n ** 63n }), sessiond.InvalidArgument);
  await assert.rejects(held.peers.put([{ id: 5n, accessHash: 2n ** 63n }]), sessiond.InvalidArgument);
});

test("a key that is withheld is not saved as one that is forgotten", async (t) => {
  const client = sessiond.connect({ socket: "/nowhere" });
  t.after(() => client.close());
  const held = client.held("alice", new sessiond.Token(new Uint8Array(32)));
  const withheld = held.save({ dcs: [{ id: 2, hasAuth: true }] });
  await assert.rejects(withheld, { name: "InvalidArgument", reason: "INVALID_SESSION" });
});
