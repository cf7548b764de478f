/**
 * A program with a library's session, in the library's own file or on sessiond, that does what it is told line by line:
 * `pain-program.js LIBRARY file|string|sessiond WHERE`. Each line is answered by one of JSON.
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { SessiondSession as GramjsSession } from "@sessiond/client/gramjs";
import { SessiondStorage } from "@sessiond/client/mtcute";
import { SessiondSession as TeleprotoSession } from "@sessiond/client/teleproto";
import type * as node from "@mtcute/node";
import bigInt from "big-integer";
import type * as telegram from "telegram";
import type { AuthKey } from "telegram/crypto/AuthKey";

/** What a program can do, by name. */
type Actions = Record<string, (...words: string[]) => unknown>;

const [, , library = "", kind = "", where = ""] = process.argv;
/** The session of a program on sessiond; what it knows of the daemon is in the environment. */
const NAME = "alice";

function key(fill: string): Buffer {
  return Buffer.alloc(256, Number(fill));
}

/** GramJS, or teleproto, which became of it. */
function gramjs(): Actions {
  const load = createRequire(__filename);
  const { Api, sessions } = load(library) as typeof telegram;
  const { AuthKey: Key } = load(`${library}/crypto/AuthKey`) as { AuthKey: typeof AuthKey };
  const onSessiond = (): GramjsSession =>
    library === "telegram" ? new GramjsSession(NAME) : (new TeleprotoSession(NAME) as unknown as GramjsSession);
  const inText = (): telegram.sessions.StringSession => new sessions.StringSession(where);
  const session = kind === "sessiond" ? onSessiond() : kind === "string" ? inText() : new sessions.StoreSession(where);
  const use = async (fill: string): Promise<void> => {
    const made = new Key();
    await made.setKey(key(fill));
    session.setAuthKey(made, session.dcId);
    await session.save();
  };
  return {
    load: async () => {
      await session.load();
      return [session.dcId, session.getAuthKey()?.getKey()?.[0]];
    },
    // What a client does when it logs in, and when Telegram sends it to another data center.
    login: async (dc = "", fill = "") => {
      session.setDC(Number(dc), `149.154.167.${dc}`, 80);
      await use(fill);
    },
    move: (dc = "") => {
      session.setDC(Number(dc), `149.154.167.${dc}`, 80);
    },
    use,
    text: () => (session as telegram.sessions.StringSession).save(),
    meet: async (count = "") => {
      const user = (id: number): telegram.Api.User =>
        new Api.User({ id: bigInt(id), accessHash: bigInt(id), firstName: "A", username: `user${id}` });
      session.processEntities(Array.from({ length: Number(count) }, (_, at) => user(1000 + at)));
      await session.save();
    },
    known: (count = "") => {
      const found = (id: number): boolean => {
        try {
          return Boolean(session.getInputEntity(`user${id}`));
        } catch {
          return false;
        }
      };
      return Array.from({ length: Number(count) }, (_, at) => found(1000 + at)).filter(Boolean).length;
    },
    close: () => session.close(),
  };
}

async function mtcute(): Promise<Actions> {
  // Its SQLite was compiled there.
  const load = createRequire(join(process.env.SESSIOND_TEST_LIBRARIES ?? "", "node", "package.json"));
  const { BaseTelegramClient, SqliteStorage, Long } = load("@mtcute/node") as typeof node;
  const storage = kind === "file" ? new SqliteStorage(where) : await SessiondStorage.open(NAME);
  const client = new BaseTelegramClient({ apiId: 1, apiHash: "", storage, logLevel: 0 });
  await client.prepare();
  const { updates, peers } = client.storage;
  const { authKeys } = storage;
  return {
    load: () => authKeys.get(2)?.[0],
    login: async (dc = "", fill = "") => {
      const main = { id: Number(dc), ipAddress: `149.154.167.${dc}`, port: 443, testMode: false };
      await client.mt.storage.dcs.store({ main, media: main });
      await authKeys.set(Number(dc), key(fill));
      await client.mt.storage.save();
    },
    // What it does after updates.
    see: async (pts = "") => {
      await updates.setPts(Number(pts));
      await updates.setQts(1);
      await updates.setDate(1_700_000_000);
      await updates.setSeq(1);
      await client.mt.storage.save();
    },
    pts: async () => (await updates.getState())?.[0],
    // What it does after an answer.
    meet: async (count = "") => {
      const user = (id: number) => ({ _: "user", id, accessHash: Long.fromNumber(id), firstName: "A" }) as const;
      const users = Array.from({ length: Number(count) }, (_, at) => user(1000 + at));
      await peers.updatePeersFrom({ users, chats: [] } as never);
    },
    known: async (count = "") => {
      const found = await Promise.all(Array.from({ length: Number(count) }, (_, at) => peers.getById(1000 + at)));
      return found.filter(Boolean).length;
    },
    close: () => client.destroy(),
  };
}

async function main(): Promise<void> {
  const actions = await (library === "mtcute" ? mtcute() : gramjs());
  for await (const line of createInterface({ input: process.stdin })) {
    const [name = "", ...words] = line.split(" ");
    console.log(JSON.stringify((await actions[name]?.(...words)) ?? null));
  }
}

void main().catch((error: unknown) => {
  console.log(JSON.stringify(String(error)));
  process.exit(1);
});
