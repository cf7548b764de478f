import { connect } from "@sessiond/client";
import assert from "node:assert/strict";
import { test } from "node:test";

import { findSocket } from "../dist/socket.js";
import { Daemon, needsDaemon } from "./support/daemon.js";

test("a socket is a path or an abstract name", () => {
  assert.equal(findSocket("/run/x.sock"), "/run/x.sock");
  assert.equal(findSocket("unix:/run/x.sock"), "/run/x.sock");
  assert.equal(findSocket("unix:///run/x.sock"), "/run/x.sock");
  assert.equal(findSocket("unix:x.sock"), `${process.cwd()}/x.sock`);
  assert.equal(findSocket("unix-abstract:sessiond"), "unix-abstract:sessiond");
});

test("a client finds the daemon where it serves by default, unless it is told otherwise", () => {
  assert.equal(findSocket(undefined, { SESSIOND_SOCKET: "unix:/run/x.sock" }, 1000), "/run/x.sock");
  const runtime = { SESSIOND_SOCKET: "", XDG_RUNTIME_DIR: "/run/user/1000" };
  assert.equal(findSocket(undefined, runtime, 1000), "/run/user/1000/sessiond/sessiond.sock");
  assert.equal(findSocket(undefined, { XDG_RUNTIME_DIR: "" }, 1000), "/tmp/sessiond-1000/sessiond.sock");
  assert.equal(findSocket(undefined, runtime, 0), "/run/sessiond/sessiond.sock");
});

test("a client finds a daemon by an abstract name, where Node knows such names", { skip: needsDaemon }, async (t) => {
  const name = `sessiond-ts-${process.pid}`;
  const socket = `unix-abstract:${name}`;
  if (Number.parseInt(process.versions.node) < 22) {
    assert.throws(() => connect({ socket }), /need Node 22/u);
    return;
  }
  await Daemon.start(t, "--abstract-socket", name);
  const client = connect({ socket });
  t.after(() => client.close());
  assert.equal((await client.info()).engine, "sqlite");
});
