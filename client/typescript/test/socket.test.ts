import assert from "node:assert/strict";
import { test } from "node:test";

import { findSocket, target } from "../dist/socket.js";

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

test("gRPC is told an abstract name by the NUL byte that the kernel knows it by", () => {
  assert.equal(target("unix-abstract:sessiond"), "unix:\0sessiond");
  assert.equal(target("/run/x.sock"), "unix:/run/x.sock");
});
