/**
 * What it costs to keep a session in sessiond, beside the library's own file, in one run: `node bench/adapters.mjs`.
 *
 * SESSIOND_BIN names the daemon, SESSIOND_TEST_LIBRARIES where `make libraries` has installed mtcute with its SQLite.
 * What sessiond has saved is on the disk; the libraries' own files are not synced.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";

import { SessiondSession } from "@sessiond/client/gramjs";
import { SessiondStorage } from "@sessiond/client/mtcute";

const SAVES = 2000;
const RESOLUTION_MS = 1;

const libraries = createRequire(join(process.env.SESSIOND_TEST_LIBRARIES, "node", "package.json"));
const { BaseTelegramClient, SqliteStorage } = libraries("@mtcute/node");
const { AuthKey } = libraries("telegram/crypto/AuthKey");
const { Api } = libraries("telegram");
const { StoreSession } = libraries("telegram/sessions");
const bigInt = libraries("big-integer");

/** Does something again and again, and tells how long it took and for how long the event loop stood still. */
async function measure(what, work) {
  const took = createHistogram();
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  for (let at = 1; at <= SAVES; at += 1) {
    const begun = performance.now();
    await work(at);
    took.record(Math.max(1, Math.round((performance.now() - begun) * 1000)));
    // Nothing that only waits for promises would let the event loop turn.
    await new Promise(setImmediate);
  }
  delay.disable();
  const stood = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS).toFixed(1);
  const [p50, p99] = [took.percentile(50), took.percentile(99)];
  console.log(
    `${what.padEnd(48)} p50 ${p50} us, p99 ${p99} us; loop p99 ${stood(delay.percentile(99))} ms, max ${stood(delay.max)} ms`,
  );
}

async function mtcute(what, storage) {
  const client = new BaseTelegramClient({ apiId: 1, apiHash: "", storage, logLevel: 0 });
  await client.prepare();
  const { updates } = client.storage;
  await measure(`mtcute, update state, ${what}`, async (at) => {
    await updates.setPts(at);
    await updates.setDate(at);
    await updates.setManyChannelPts(new Map([[7, at]]));
    await client.mt.storage.save();
  });
  const key = (at) => Uint8Array.from({ length: 256 }, () => at % 251);
  await measure(`mtcute, key, ${what}`, async (at) => client.mt.storage.provider.authKeys.set(2, key(at)));
  await client.destroy();
}

async function gramjs(what, session) {
  await session.load();
  session.setDC(2, "149.154.167.50", 443);
  const keys = await Promise.all(
    [1, 2].map(async (fill) => {
      const key = new AuthKey();
      await key.setKey(Buffer.alloc(256, fill));
      return key;
    }),
  );
  await measure(`GramJS, key and save, ${what}`, async (at) => {
    session.setAuthKey(keys[at % 2], 2);
    await session.save();
  });
  const user = (at) => new Api.User({ id: bigInt(1000 + at), accessHash: bigInt(at), firstName: `User ${at}` });
  await measure(`GramJS, 20 new peers, ${what}`, async (at) => {
    session.processEntities(Array.from({ length: 20 }, (_, each) => user(at * 20 + each)));
  });
  await session.close();
}

const directory = await mkdtemp(join(tmpdir(), "sessiond-cost-"));
const socket = join(directory, "sessiond.sock");
const daemon = spawn(
  process.env.SESSIOND_BIN,
  ["serve", "--dir", join(directory, "sessions"), "--socket", socket, "--log", "error"],
  { stdio: "inherit" },
);
try {
  await mtcute("own SQLite file", new SqliteStorage(join(directory, "mtcute.session")));
  await mtcute("sessiond", await SessiondStorage.open("alice", { socket }));
  process.chdir(directory);
  await gramjs("own StoreSession", new StoreSession("store"));
  await gramjs("sessiond", new SessiondSession("bob", { socket }));
} finally {
  daemon.kill();
  await rm(directory, { recursive: true, force: true });
}
process.exit();
