/** The driver of the conformance scenarios speaks their language: tests/conformance/README.md. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";

import { Daemon, needsDaemon } from "./support/daemon.js";

interface Answer {
  readonly id: number;
  readonly ok?: unknown;
  readonly error?: unknown;
  readonly event?: unknown;
}

/** A driver, and what it says. */
class Driver {
  readonly #process;
  readonly #answers;
  #id = 0;

  constructor(test: TestContext, socket: string) {
    const driver = join(__dirname, "installed", "typescript", "driver");
    const env = { ...process.env, SESSIOND_SOCKET: socket };
    this.#process = spawn(driver, { env, stdio: ["pipe", "pipe", "inherit"] });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
    test.after(() => this.#process.kill());
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Makes a call, and gives the next thing that the driver says. */
  async call(call: string, args: object = {}): Promise<Omit<Answer, "id">> {
    this.#process.stdin.write(`${JSON.stringify({ id: (this.#id += 1), call, ...args })}\n`);
    return this.next();
  }

  async next(): Promise<Omit<Answer, "id">> {
    const line = await this.#answers.next();
    const { id, ...answer } = JSON.parse(String(line.value)) as Answer;
    assert.equal(id, this.#id);
    return answer;
  }

  async end(): Promise<unknown> {
    const ended = once(this.#process, "exit");
    this.#process.stdin.end();
    const [code] = (await ended) as unknown[];
    return code;
  }
}

const KEY = Buffer.alloc(256, 7).toString("base64");
const SESSION = {
  version: 1,
  dcs: [{ id: 2, auth: KEY, has_auth: true }],
  user: { id: `${2n ** 63n - 1n}`, dc: 2, bot: false },
  state: { pts: 0, qts: 0, date: `${2n ** 63n - 1n}`, seq: 0, channels: [{ id: "7", pts: 3 }] },
  home_dc: 2,
};

test("sessions go in and come out as the scenarios write them", { skip: needsDaemon }, async (t) => {
  const driver = new Driver(t, (await Daemon.start(t)).socket);
  assert.deepEqual(await driver.call("hold", { as: "h", name: "alice" }), { ok: { fence: "1", revision: "0" } });
  const save = { hold: "h", session: SESSION, mode: "REPLACE", expected_revision: "0" };
  assert.deepEqual(await driver.call("save", save), { ok: { revision: "2" } });
  assert.deepEqual(await driver.call("save", save), { error: { reason: "REVISION_MISMATCH", current: "2" } });
  const loaded = (await driver.call("load", { hold: "h" })).ok as { session: unknown; holder: { pid: number } };
  assert.deepEqual(loaded.session, SESSION);
  const shown = (await driver.call("show", { hold: "h" })).ok as { text: string };
  assert.equal(shown.text, "Hold(alice, held)\nundefined\nToken(..)");

  await driver.call("watch", { as: "w", names: ["alice"] });
  const events = (await driver.call("events", { watch: "w", count: 3 })).ok as { events: Record<string, unknown>[] };
  assert.deepEqual(events.events[0], { event: "restarted", reason: "FIRST" });
  assert.deepEqual((events.events[1]?.session as typeof SESSION).dcs, [{ id: 2, has_auth: true }]);
  await driver.call("advance", { hold: "h", change: { date: "5", removed_channels: ["7"] } });
  const { events: next } = (await driver.call("events", { watch: "w", count: 1 })).ok as typeof events;
  assert.deepEqual(
    { ...next[0], time: "" },
    {
      event: "advanced",
      name: "alice",
      revision: "3",
      previous_revision: "2",
      time: "",
      change: { date: "5", channels: [], removed_channels: ["7"] },
    },
  );
  assert.equal(await driver.end(), 0);
});

test("streams, tokens and losses are told as the scenarios write them", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const driver = new Driver(t, daemon.socket);
  const other = new Driver(t, daemon.socket);
  await driver.call("hold", { as: "h", name: "alice", label: "first" });
  const refused = (await other.call("hold", { as: "h", name: "alice" })).error as Record<string, unknown>;
  assert.deepEqual(
    { ...refused, since: "" },
    { reason: "HELD_BY_ANOTHER", label: "first", pid: driver.pid, since: "" },
  );
  await driver.call("stream", { as: "s", hold: "h" });
  assert.deepEqual(await driver.call("push", { stream: "s", changes: [{ pts: 1 }, { pts: -1 }] }), {
    ok: { sequence: "2" },
  });
  assert.deepEqual(await driver.call("finish", { stream: "s" }), {
    error: { reason: "CHANGE_REFUSED", sequence: "2", refusal: { reason: "INVALID_SESSION" } },
  });
  const { token } = (await driver.call("token", { hold: "h" })).ok as { token: string };
  assert.equal(Buffer.from(token, "base64").length, 32);
  await other.call("with_token", { as: "t", name: "alice", token });
  assert.ok((await other.call("advance", { hold: "t", change: { pts: 2 } })).ok);
  await other.call("end_hold", { name: "alice" });
  assert.deepEqual(await driver.call("lost", { hold: "h" }), { ok: { lost: "ENDED_BY_ADMIN" } });
  assert.deepEqual(await driver.call("release", { hold: "h" }), { error: { reason: "LOST", lost: "ENDED_BY_ADMIN" } });
  assert.deepEqual(await other.call("load", { hold: "t" }), { error: { reason: "FENCED" } });
  assert.deepEqual(await other.call("load", { name: "../x" }), { error: { reason: "INVALID_NAME" } });
});

test("peers and attributes go in and come out as the scenarios write them", { skip: needsDaemon }, async (t) => {
  const driver = new Driver(t, (await Daemon.start(t)).socket);
  await driver.call("hold", { as: "h", name: "alice" });
  const peer = {
    id: "-1000000000005",
    access_hash: `${-(2n ** 63n)}`,
    has_access_hash: true,
    kind: "CHANNEL",
    usernames: { names: ["anna"] },
    seen: "7",
    extra: { "test.some_key": "AQI=" },
  };
  assert.deepEqual(await driver.call("put_peers", { hold: "h", peers: [peer] }), { ok: { revision: "2", changed: 1 } });
  const keys = [{ username: "anna" }, { id: "6" }, { peer_name: "Anna" }];
  assert.deepEqual(await driver.call("get_peers", { hold: "h", keys }), { ok: { peers: [peer, null, null] } });
  assert.deepEqual(await driver.call("list_peers", { hold: "h", kinds: ["CHANNEL"] }), { ok: { peers: [peer] } });
  assert.deepEqual(await driver.call("delete_peers", { hold: "h", all: true }), { ok: { revision: "3", deleted: 1 } });
  const attribute = { key: "some_key", value: "AQI=", secret: true, has_value: true };
  await driver.call("put_attributes", { hold: "h", attributes: [attribute] });
  assert.deepEqual(await driver.call("get_attributes", { hold: "h", keys: ["some_key", "x"] }), {
    ok: { attributes: [attribute] },
  });
  assert.deepEqual(await driver.call("list_attributes", { hold: "h", keys_only: true }), {
    ok: { attributes: [{ ...attribute, value: "" }] },
  });
  const measured = (await driver.call("measure", { hold: "h", what: "advance", count: 3 })).ok as { p50_us: number };
  assert.ok(measured.p50_us > 0);
  assert.ok((await driver.call("measure", { hold: "h", what: "empty", count: 3 })).ok);
});
