/** The package and a real daemon. */

import {
  AuthKey,
  HeldByAnother,
  LimitExceeded,
  RevisionMismatch,
  type Session,
  type WatchEvent,
} from "@sessiond/client";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Daemon, needsDaemon } from "./support/daemon.js";

const run = promisify(execFile);

const KEY = new AuthKey(Uint8Array.from({ length: 256 }, (_, at) => at));

/** A session with everything in it, at its limits. */
const WHOLE: Session = {
  dcs: [
    { id: 1, ipv4Addr: "149.154.175.53:443", ipv6Addr: "2001:b28:f23d:f001::a:443", hasAuth: false },
    { id: 2, auth: KEY, hasAuth: true },
  ],
  user: { id: 2n ** 63n - 1n, dc: 2, bot: false, username: "anna" },
  state: {
    pts: 2 ** 31 - 1,
    qts: 1,
    date: 2n ** 63n - 1n,
    seq: 3,
    channels: [{ id: 2n ** 63n - 1n, pts: 2 ** 31 - 1 }],
  },
  homeDc: 2,
  testMode: true,
};

test("every field of a session comes back as it was saved", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, async (hold) => {
    const revision = await hold.save(WHOLE, { expectedRevision: 0n });
    const held = await hold.load();
    assert.deepEqual(held.session, WHOLE);
    assert.ok(held.session.dcs[1]?.auth?.equals(KEY));
    assert.equal(held.revision, revision);
    assert.equal(held.holder?.pid, process.pid);

    const { session } = await client.load("alice");
    assert.deepEqual(session?.dcs[1], { id: 2, hasAuth: true });
    await assert.rejects(hold.save(session), { name: "InvalidArgument" });
    // Nothing that is withheld is lost by a merge.
    assert.equal(await hold.merge(session), revision);
  });
});

test("what is absent is another thing than what is zero", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, async (hold) => {
    await hold.save({ dcs: [], user: { id: 5n, dc: 2 } });
    const { session } = await hold.load();
    assert.deepEqual(session, { dcs: [], user: { id: 5n, dc: 2 } });
    await hold.advance({ pts: 0 });
    assert.deepEqual((await hold.load()).session?.state, { pts: 0, qts: 0, date: 0n, seq: 0, channels: [] });
    await hold.merge({ dcs: [] }, { clear: { state: true, user: true } });
    assert.equal((await hold.load()).session?.state, undefined);
  });
});

test(
  "a write that expects another revision is refused, and a request id takes effect once",
  { skip: needsDaemon },
  async (t) => {
    const client = (await Daemon.start(t)).client(t);
    await client.withHold("alice", {}, async (hold) => {
      const revision = await hold.advance({ pts: 1 });
      await assert.rejects(hold.advance({ pts: 2 }, { expectedRevision: 0n }), (error: RevisionMismatch) => {
        return error instanceof RevisionMismatch && error.current === revision;
      });
      const second = await hold.advance({ pts: 2 }, { requestId: "r" });
      await hold.advance({ pts: 3 });
      assert.equal(await hold.advance({ pts: 2 }, { requestId: "r" }), second);
      assert.equal((await hold.load()).session?.state?.pts, 3);
      assert.ok((await hold.delete()) > second);
      assert.equal(await hold.delete(), 0n);
    });
  },
);

test("who does not wait is told who holds, and who waits is next", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const first = await daemon.client(t, { label: "first" }).hold("alice");
  const client = daemon.client(t);
  await assert.rejects(client.hold("alice"), (error: HeldByAnother) => {
    assert.deepEqual([error.label, error.pid], ["first", process.pid]);
    return error instanceof HeldByAnother && error.since instanceof Date;
  });
  let tell: (label: string | undefined) => void = () => undefined;
  const told = new Promise((heard) => (tell = heard));
  const waiting = client.hold("alice", { wait: true, onWaiting: ({ holder }) => tell(holder?.label) });
  assert.equal(await told, "first");
  await first.release();
  const second = await waiting;
  assert.ok(second.fence > first.fence);
  await second.release();
});

test("an operator ends a hold, and its holder hears of it", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  const hold = await client.hold("alice");
  const lost = once(hold.signal, "abort");
  await client.endHold("alice");
  await lost;
  await assert.rejects(hold.advance({ pts: 1 }), { name: "Lost", reason: "ENDED_BY_ADMIN" });
  hold.drop();
});

test("a process with nothing but an idle client ends by itself", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const script = `const { connect } = require("@sessiond/client");
    const client = connect({ socket: ${JSON.stringify(daemon.socket)} });
    client.withHold("alice", {}, (hold) => hold.advance({ pts: 1 })).then((revision) => console.log(revision));`;
  const { stdout } = await run(process.execPath, ["-e", script], { cwd: join(__dirname, ".."), timeout: 20_000 });
  assert.equal(stdout, "2n\n");
});

test("a worker uses the hold of another process by its token", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const hold = await daemon.client(t).hold("alice");
  const worker = daemon.client(t).held("alice", hold.token);
  await hold.save(WHOLE);
  assert.deepEqual((await worker.load()).session, WHOLE);
  await hold.release();
  await assert.rejects(worker.load(), { name: "Fenced" });
});

test("sessions are listed, whatever many there are", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, (hold) => hold.save(WHOLE));
  await client.withHold("bob", {}, (hold) => hold.advance({ pts: 1 }));
  const listed: string[] = [];
  for await (const { name, user, dcsWithAuth } of client.list())
    listed.push(`${name} ${user?.id} ${dcsWithAuth.join()}`);
  assert.deepEqual(listed, [`alice ${2n ** 63n - 1n} 2`, "bob undefined "]);
  for await (const { name } of client.list({ namePrefix: "b" })) assert.equal(name, "bob");
  const info = await client.info();
  assert.equal(info.engine, "sqlite");
  assert.ok(info.features.includes("peers") && info.figures?.started instanceof Date);
});

test("a refused change ends its stream, and those before it are applied", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, async (hold) => {
    const good = hold.advanceStream();
    for (let pts = 1; pts <= 10_000; pts += 1) await good.push({ pts });
    const revision = await good.finish();
    assert.equal((await hold.load()).revision, revision);

    const stream = hold.advanceStream();
    await stream.push({ pts: 10_001 });
    await stream.push({ pts: -1 });
    await stream.push({ pts: 10_003 });
    await assert.rejects(stream.finish(), { name: "ChangeRefused", sequence: 2n });
    assert.equal((await hold.load()).session?.state?.pts, 10_001);
  });
});

test("watches that are left unread hold nothing up", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  const hold = await client.hold("alice");
  const unread = Array.from({ length: 4 }, () => client.watch());
  for (const watch of unread) await watch.next();
  const channels = Array.from({ length: 200 }, (_, at) => ({ id: BigInt(at + 1), pts: 1 }));
  const stream = hold.advanceStream();
  for (let pts = 1; pts <= 5000; pts += 1) await stream.push({ pts, channels });
  await stream.finish();
  await hold.advance({ pts: 5001 }, { deadlineMs: 2000 });
  // Another one is read meanwhile, and they, when they are read at last, are told everything.
  for (const watch of [client.watch(), ...unread]) {
    let last: WatchEvent | undefined;
    while (!(last?.type === "advanced" && last.change.pts === 5001) && !isSnapshotAt(last, 5001)) {
      last = (await watch.next()).value;
      assert.ok(last);
    }
    watch.close();
  }
  await hold.release();
});

function isSnapshotAt(event: WatchEvent | undefined, pts: number): boolean {
  return event?.type === "snapshot" && event.session?.state?.pts === pts;
}

test("peers are put, found, listed and forgotten", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, async ({ peers }) => {
    const anna = {
      id: 2n ** 40n,
      accessHash: -(2n ** 63n),
      kind: "USER",
      bot: false,
      usernames: ["anna"],
      phone: "171",
      name: "Anna",
      seen: 7n,
      extra: { "test.k": Uint8Array.of(1, 2) },
    } as const;
    assert.equal((await peers.put([anna, { id: -5n, kind: "GROUP" }, { id: 7n }])).changed, 3);
    const found = await peers.get([{ username: "ANNA" }, { phone: "171" }, { peerName: "Anna" }, { id: 6n }]);
    assert.deepEqual({ ...found[0] }, { ...anna, extra: { "test.k": Buffer.of(1, 2) } });
    assert.deepEqual(
      found.map((peer) => peer?.id),
      [anna.id, anna.id, anna.id, undefined],
    );
    const listed: bigint[] = [];
    for await (const { id } of peers.list({ kinds: ["GROUP", undefined] })) listed.push(id);
    assert.deepEqual(listed, [-5n, 7n]);
    assert.equal((await peers.delete([7n, 8n])).changed, 1);
    assert.equal((await peers.deleteAll()).changed, 2);
  });
});

test("more peers than a message takes are put, looked up and listed", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, async ({ peers }) => {
    const extra = { "test.k": new Uint8Array(4000) };
    const many = Array.from({ length: 2500 }, (_, at) => ({ id: BigInt(at + 1), extra }));
    assert.equal((await peers.put(many)).changed, 2500);
    await assert.rejects(peers.get(many), LimitExceeded);
    const keys = Array.from({ length: 1500 }, (_, at) => ({ id: BigInt(at + 2000) }));
    assert.equal((await peers.get(keys)).filter((peer) => peer !== undefined).length, 501);
    let listed = 0n;
    for await (const { id } of peers.list()) assert.equal(id, (listed += 1n));
    assert.equal(listed, 2500n);
    for await (const { id } of peers.list({ afterId: 2499n })) assert.equal(id, 2500n);
  });
});

test("attributes are put, read, listed and deleted", { skip: needsDaemon }, async (t) => {
  const client = (await Daemon.start(t)).client(t);
  await client.withHold("alice", {}, async ({ attributes }) => {
    const value = Buffer.of(1, 2);
    await attributes.put([
      { key: "a.1", value },
      { key: "a.2", value, secret: true },
      { key: "b", value },
    ]);
    const [second, first] = await attributes.get(["a.2", "a.1", "c"]);
    assert.deepEqual({ ...second }, { key: "a.2", value, secret: true, hasValue: true });
    assert.deepEqual({ ...first }, { key: "a.1", value, secret: false, hasValue: true });
    await assert.rejects(attributes.put([{ key: "a.2", value }]), { name: "InvalidArgument" });
    await attributes.put([], { deleteKeys: ["a.1"] });
    const listed: string[] = [];
    for await (const { key, value, hasValue } of attributes.list({ keysOnly: true })) {
      listed.push(`${key} ${value.length} ${hasValue}`);
    }
    assert.deepEqual(listed, ["a.2 0 true", "b 0 true"]);
    assert.equal((await attributes.deleteBelow("a.")).changed, 1);
    assert.equal((await attributes.delete(["b"])).changed, 1);
  });
});

test(
  "a daemon that is killed and comes back is nothing but a pause",
  { skip: needsDaemon, timeout: 60_000 },
  async (t) => {
    const daemon = await Daemon.start(t);
    const client = daemon.client(t);
    const hold = await client.hold("alice");
    const { signal } = hold;
    const watch = client.watch({ names: ["alice"] });
    while ((await watch.next()).value?.type !== "synced");
    const seen: (number | undefined)[] = [];
    const watching = (async () => {
      for await (const event of watch) {
        assert.ok(event.type === "advanced" || event.type === "bookmark", event.type);
        if (event.type === "advanced") seen.push(event.change.pts);
        if (seen.at(-1) === 300) return;
      }
    })();
    const outages = new Map<number, NodeJS.Signals>([
      [75, "SIGKILL"],
      [150, "SIGTERM"],
      [225, "SIGKILL"],
    ]);
    let last = 0n;
    for (let pts = 1; pts <= 300; pts += 1) {
      const signal = outages.get(pts);
      const outage = signal && daemon.end(signal).then(() => daemon.start());
      const revision = await hold.advance({ pts });
      assert.ok(revision > last);
      last = revision;
      await outage;
    }
    await watching;
    assert.deepEqual(
      seen,
      Array.from({ length: 300 }, (_, at) => at + 1),
    );
    assert.equal(signal.aborted, false);
    await hold.release();
    await assert.rejects(hold.load(), { name: "Fenced" });
    assert.equal(signal.aborted, false);
  },
);
