/**
 * What it costs to keep a session in sessiond, and in the library's own file, in turns; and for how long the event loop stands
 * still meanwhile, beside one that has nothing to do. `make bench-adapters` runs it. Each line that it prints is one of JSON:
 * benches/adapters.py makes a table of them.
 *
 * SESSIOND_BIN names the daemon, SESSIOND_TEST_LIBRARIES where `make libraries` has installed mtcute with its SQLite.
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

import { connect } from "@sessiond/client";
import { SessiondSession as Gramjs } from "@sessiond/client/gramjs";
import { SessiondStorage } from "@sessiond/client/mtcute";
import { SessiondSession as Teleproto } from "@sessiond/client/teleproto";

import { pulses } from "./pulse.mjs";

const ROUNDS = 1000;
/** So many rounds on one storage, and then on the next, so that the machine is the same for both. */
const BLOCK = 100;
/** What a busy account has. */
const PEERS = 100_000;

const libraries = createRequire(join(process.env.SESSIOND_TEST_LIBRARIES, "node", "package.json"));

function tell(library, what, unit, values) {
  console.log(JSON.stringify({ library, what, unit, ...values }));
}

function tellLoop(library, when, loops) {
  const each = (what) => Object.fromEntries(Object.entries(loops).map(([name, loop]) => [name, loop[what]]));
  tell(library, when, "ms", each("longest"));
  tell(library, `${when}: V8's garbage collector`, "ms", each("collected"));
}

/** The worse of two. */
function worse(one, other) {
  if (!one) return other;
  return {
    longest: Math.max(one.longest, other.longest),
    collected: Math.max(one.collected, other.collected),
  };
}

/** Does each step again and again on each storage, and tells how long it took and for how long the loop stood still. */
async function measure(library, storages) {
  const loops = {};
  for (const step of Object.keys(storages.file)) {
    const took = { file: [], sessiond: [] };
    for (let first = 1; first <= ROUNDS; first += BLOCK) {
      for (const [name, steps] of Object.entries(storages)) {
        const { busy, nothing } = await pulses(async () => {
          for (let at = first; at < first + BLOCK; at += 1) {
            const begun = performance.now();
            await steps[step](at);
            took[name].push(performance.now() - begun);
            // A program waits for Telegram now and then, too. Nothing that only waits for promises lets the loop turn.
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        });
        loops[name] = worse(loops[name], busy);
        loops.nothing = worse(loops.nothing, nothing);
      }
    }
    const median = (times) => times.sort((one, other) => one - other)[times.length >> 1] * 1000;
    tell(library, step, "us", { file: median(took.file), sessiond: median(took.sessiond) });
  }
  tellLoop(library, "while it works", loops);
}

async function mtcuteOn(client) {
  await client.prepare();
  const { updates } = client.storage;
  const key = (at) => Uint8Array.from({ length: 256 }, () => at % 251);
  return {
    "an update state, until it is saved": async (at) => {
      await updates.setPts(at);
      await updates.setDate(at);
      await updates.setManyChannelPts(new Map([[7, at]]));
      await client.mt.storage.save();
    },
    "a key": async (at) => client.mt.storage.provider.authKeys.set(2, key(at)),
  };
}

async function mtcute(socket) {
  const { BaseTelegramClient, SqliteStorage } = libraries("@mtcute/node");
  const client = (storage) => new BaseTelegramClient({ apiId: 1, apiHash: "", storage, logLevel: 0 });
  const loop = await pulses(async () => {
    const large = client(await SessiondStorage.open("large", { socket }));
    await large.prepare();
    await large.destroy();
  });
  tellLoop("mtcute", `while it opens a session of ${PEERS.toLocaleString("en")} peers`, named(loop));
  const own = client(new SqliteStorage("mtcute.session"));
  const ours = client(await SessiondStorage.open("mtcute", { socket }));
  await measure("mtcute", { file: await mtcuteOn(own), sessiond: await mtcuteOn(ours) });
  await own.destroy();
  await ours.destroy();
}

/** GramJS, or teleproto, which became of it. */
async function gramjs(name, library, Session, socket) {
  const { AuthKey } = libraries(`${library}/crypto/AuthKey`);
  const { Api } = libraries(library);
  const { StoreSession } = libraries(`${library}/sessions`);
  const bigInt = libraries("big-integer");
  const keys = await Promise.all(
    [1, 2].map(async (fill) => {
      const key = new AuthKey();
      await key.setKey(Buffer.alloc(256, fill));
      return key;
    }),
  );
  const user = (at) => new Api.User({ id: bigInt(1000 + at), accessHash: bigInt(at), firstName: `User ${at}` });
  const on = async (session) => {
    await session.load();
    session.setDC(2, "149.154.167.50", 443);
    return {
      "a key, until it is saved": async (at) => {
        session.setAuthKey(keys[at % 2], 2);
        await session.save();
      },
      "20 new peers, as the program waits": (at) => {
        session.processEntities(Array.from({ length: 20 }, (_, each) => user(at * 20 + each)));
      },
    };
  };
  const large = new Session("large", { socket });
  const begun = performance.now();
  let took = 0;
  const loop = await pulses(async () => {
    await large.load();
    took = performance.now() - begun;
  });
  tell(name, `a session of ${PEERS.toLocaleString("en")} peers opened`, "us", { sessiond: took * 1000 });
  tellLoop(name, `while it opens a session of ${PEERS.toLocaleString("en")} peers`, named(loop));
  await large.close();
  const ours = new Session(library, { socket });
  await measure(name, { file: await on(new StoreSession(library)), sessiond: await on(ours) });
  await ours.close();
}

function named({ busy, nothing }) {
  return { sessiond: busy, nothing };
}

async function fill(socket) {
  const client = connect({ socket });
  const peer = (at) => ({
    id: BigInt(1000 + at),
    accessHash: BigInt(at),
    usernames: [`user${at}`],
    phone: `49${at}`,
    name: `User ${at}`,
  });
  await client.withHold("large", {}, ({ peers }) => peers.put(Array.from({ length: PEERS }, (_, at) => peer(at))));
  client.close();
}

const directory = await mkdtemp(join(tmpdir(), "sessiond-cost-"));
const socket = join(directory, "sessiond.sock");
const places = ["--dir", join(directory, "sessions"), "--socket", socket, "--seal", `file:${join(directory, "key")}`];
const options = [...places, "--hand-over-delay", "0s", "--log", "error"];
const daemon = spawn(process.env.SESSIOND_BIN, ["serve", ...options], { stdio: "inherit" });
// A StoreSession is where the program is.
process.chdir(directory);
try {
  await fill(socket);
  await gramjs("GramJS", "telegram", Gramjs, socket);
  await gramjs("teleproto", "teleproto", Teleproto, socket);
  await mtcute(socket);
} finally {
  daemon.kill();
  await rm(directory, { recursive: true, force: true });
}
process.exit();
