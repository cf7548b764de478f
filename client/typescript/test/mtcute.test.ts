/** mtcute's own client and storage services, unmodified, on sessiond. */

import { BaseTelegramClient, type ITelegramStorageProvider, Long, type tl } from "@mtcute/node";
import { AuthKey, type Client, HeldByAnother, Lost, type Session } from "@sessiond/client";
import { LoggedOut, type SessionOptions, SessiondStorage } from "@sessiond/client/mtcute";
import assert from "node:assert/strict";
import { test } from "node:test";

import { Daemon, needsDaemon } from "./support/daemon.js";
import { Program } from "./support/programs.js";
import { keyId, madeUpKey, SilentTelegram } from "./support/telegram.js";

const KEY = madeUpKey(1);
const OTHER_KEY = madeUpKey(2);
const ALICE = 4_398_046_511_104n;

/** A stock client of mtcute on alice. */
async function opened(
  daemon: Daemon,
  options: SessionOptions = {},
): Promise<{ client: BaseTelegramClient; storage: SessiondStorage }> {
  const storage = await SessiondStorage.open("alice", { socket: daemon.socket, ...options });
  // What the library asks for, to the letter.
  const provider: ITelegramStorageProvider = storage;
  const client = storage.bind(new BaseTelegramClient({ apiId: 1, apiHash: "", storage: provider, logLevel: 0 }));
  daemon.beforeEnd(() => client.destroy());
  await client.prepare();
  return { client, storage };
}

/** A session of alice, logged in at a data center here. */
function loggedIn(port: number): Session {
  return {
    dcs: [
      { id: 2, ipv4Addr: `127.0.0.1:${port}`, auth: new AuthKey(KEY) },
      { id: 4, auth: new AuthKey(OTHER_KEY) },
    ],
    user: { id: ALICE, dc: 2, bot: false, username: "alice" },
    state: { pts: 100, qts: 3, date: 1767225600n, seq: 9, channels: [{ id: 7n, pts: 70 }] },
    homeDc: 2,
    testMode: false,
  };
}

async function stored(client: Client, session: Session): Promise<void> {
  await client.withHold("alice", {}, (hold) => hold.save(session));
}

async function read(client: Client): Promise<Session | undefined> {
  return client.withHold("alice", { wait: true }, async (hold) => (await hold.load()).session);
}

/** A user as the library has it. */
function user(id: number, fields: Partial<tl.RawUser> = {}): tl.RawUser {
  return { _: "user", id, accessHash: Long.fromBits(-5, 77), firstName: "Anna", ...fields };
}

test("a login is there for the next, after a move to another data center", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const { client } = await opened(daemon);
  const { dcs, provider } = client.mt.storage;
  assert.equal(await dcs.fetch(), null);
  await provider.authKeys.set(2, KEY);
  const main = { id: 4, ipAddress: "149.154.167.92", port: 443, testMode: false };
  await dcs.store({ main, media: { ...main, ipAddress: "149.154.165.120", mediaOnly: true } });
  await provider.authKeys.set(4, OTHER_KEY);
  const info = { userId: Number(ALICE), isBot: true, isPremium: true, usernames: ["alice", "alicia"] };
  await client.storage.self.store(info);
  await client.destroy();

  assert.deepEqual(await read(daemon.client(t)), {
    dcs: [
      { id: 2, auth: new AuthKey(KEY), hasAuth: true },
      { id: 4, ipv4Addr: "149.154.167.92:443", auth: new AuthKey(OTHER_KEY), hasAuth: true },
    ],
    user: { id: ALICE, dc: 4, bot: true, username: "alice" },
    homeDc: 4,
    testMode: false,
  });
  const { client: next } = await opened(daemon);
  const known = await next.mt.storage.dcs.fetch();
  assert.deepEqual(known?.main, { ...main, ipv6: false, mediaOnly: false });
  assert.equal(known.media.ipAddress, "149.154.165.120");
  assert.deepEqual(await next.storage.self.fetch(), info);
  assert.deepEqual(await next.mt.storage.provider.authKeys.get(4), OTHER_KEY);
  const string = await next.exportSession();
  assert.ok(Buffer.from(string, "base64url").includes(Buffer.from(OTHER_KEY)));
});

test("the client connects to where the session is at home, with the held key", { skip: needsDaemon }, async (t) => {
  const [daemon, telegram] = await Promise.all([Daemon.start(t), SilentTelegram.start(t)]);
  await stored(daemon.client(t), loggedIn(telegram.port));
  const { client } = await opened(daemon);
  await client.connect();
  // Intermediate transport: four bytes that name it, four of the length, and then which key it is.
  assert.deepEqual(await telegram.nextBytes(8, 8), keyId(KEY));
  const dc = await client.getPrimaryDcId();
  assert.equal(dc, 2);
});

test("update states are durable when they are saved, and zeros change none", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const watcher = daemon.client(t);
  await stored(watcher, loggedIn(443));
  const { client } = await opened(daemon);
  const { updates } = client.storage;
  assert.deepEqual(await updates.getState(), [100, 3, 1767225600, 9]);
  assert.equal(await updates.getChannelPts(7), 70);
  assert.equal(await updates.getChannelPts(8), null);
  await updates.setSeq(10);
  await client.mt.storage.save();
  const before = (await watcher.load("alice")).revision;
  await updates.setPts(101);
  await updates.setQts(0);
  await updates.setDate(1767225700);
  await updates.setManyChannelPts(new Map([[8, 80]]));
  await client.mt.storage.save();
  const { session, revision } = await watcher.load("alice");
  const channels = [
    { id: 7n, pts: 70 },
    { id: 8n, pts: 80 },
  ];
  assert.deepEqual(session?.state, { pts: 101, qts: 3, date: 1767225700n, seq: 10, channels });
  assert.ok(session.dcs.every(({ hasAuth }) => hasAuth));
  assert.equal(revision, before + 1n, "one commit");
});

test("peers are found before the daemon has them, and after a restart", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const { client } = await opened(daemon);
  const { peers, refMsgs } = client.storage;
  await peers.store(user(5, { username: "Anna", phone: "123" }));
  const provider = client.params.storage.peers;
  assert.equal((await provider.getByUsername("anna"))?.id, 5);
  await peers.updatePeersFrom({ users: [user(6, { min: true })], chats: [] } as unknown as tl.TlObject);
  await refMsgs.store(6, -1_000_000_000_007, 12);
  await refMsgs.store(6, -1_000_000_000_007, 13);
  await refMsgs.delete(-1_000_000_000_007, [13]);
  await client.destroy();

  const { client: next } = await opened(daemon);
  const found = next.params.storage.peers;
  const anna = { _: "inputPeerUser", userId: 5, accessHash: Long.fromBits(-5, 77) };
  assert.deepEqual(await next.storage.peers.getById(5), anna);
  assert.equal(((await next.storage.peers.getCompleteById(5)) as tl.RawUser | null)?.firstName, "Anna");
  assert.equal((await found.getByUsername("anna"))?.phone, "123");
  assert.equal((await found.getByPhone("123"))?.id, 5);
  assert.equal(await found.getById(99), null);
  assert.equal((await found.getById(6))?.isMin, true);
  assert.deepEqual(await next.storage.refMsgs.getForPeer(6), [-1_000_000_000_007, 12]);
  await next.storage.refMsgs.deleteByPeer(6);
  await next.storage.clear();
  assert.equal(await found.getById(5), null);
});

test("temporary keys are secret, and end when the library says", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const { client } = await opened(daemon);
  await client.mt.storage.provider.authKeys.setTemp(2, 1, OTHER_KEY, 1_767_225_600_000.5);
  await client.mt.storage.provider.kv.set("salts:2", Uint8Array.of(1, 2, 3));
  await client.destroy();
  await daemon.client(t).withHold("alice", { wait: true }, async (hold) => {
    const [temporary] = await hold.attributes.get(["mtcute.temp/2.1"]);
    assert.equal(temporary?.secret, true);
  });
  const { client: next } = await opened(daemon);
  const { authKeys, kv } = next.mt.storage.provider;
  assert.deepEqual(await authKeys.getTemp(2, 1, 1_767_225_599_999), OTHER_KEY);
  assert.equal(await authKeys.getTemp(2, 1, 1_767_225_600_000), null);
  assert.deepEqual(await kv.get("salts:2"), Uint8Array.of(1, 2, 3));
  await next.mt.storage.keys.deleteByDc(2);
  assert.equal(await authKeys.getTemp(2, 1, 0), null);
  assert.equal(await kv.get("salts:2"), null);
});

test("to log out is to log out, and the next login is stored with its key", { skip: needsDaemon }, async (t) => {
  const [daemon, telegram] = await Promise.all([Daemon.start(t), SilentTelegram.start(t)]);
  const watcher = daemon.client(t);
  await stored(watcher, loggedIn(telegram.port));
  const { client } = await opened(daemon);
  await client.connect();
  await client.storage.peers.store(user(5));
  await client.notifyLoggedOut();
  const { session } = await watcher.load("alice");
  assert.equal(session?.user, undefined);
  assert.equal(session?.state, undefined);
  assert.deepEqual(
    session?.dcs.map(({ hasAuth }) => hasAuth),
    [false, false],
  );
  assert.equal(await client.storage.updates.getState(), null);

  await client.storage.self.store({ userId: 77, isBot: false, isPremium: false, usernames: [] });
  assert.deepEqual((await watcher.load("alice")).session?.user, { id: 77n, dc: 2, bot: false });
  await client.destroy();
  const next = await read(watcher);
  assert.deepEqual(next?.dcs[0]?.auth, new AuthKey(KEY));
});

test("who comes second is refused, or waits, and is told when it is logged out", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  await stored(daemon.client(t), loggedIn(443));
  const { client } = await opened(daemon, { label: "first" });
  const { socket } = daemon;
  await assert.rejects(SessiondStorage.open("alice", { socket, wait: false }), HeldByAnother);
  let waiting: Promise<unknown> = Promise.resolve();
  const holder = await new Promise<string | undefined>((told) => {
    const next = SessiondStorage.open("alice", { socket, onWaiting: (before) => told(before.holder?.label) });
    waiting = assert.rejects(next, LoggedOut);
  });
  assert.equal(holder, "first");
  await client.storage.self.store(null);
  await client.destroy();
  await waiting;
  await assert.rejects(SessiondStorage.open("alice", { socket, requireLogin: true }), LoggedOut);
});

test("a lost hold destroys the client at once", { skip: needsDaemon }, async (t) => {
  const [daemon, telegram] = await Promise.all([Daemon.start(t), SilentTelegram.start(t)]);
  const operator = daemon.client(t);
  await stored(operator, loggedIn(telegram.port));
  const lost = new Promise<Lost>((onLost) => {
    void opened(daemon, { onLost }).then(async ({ client }) => {
      await client.connect();
      await telegram.nextBytes(8, 8);
      await operator.endHold("alice");
    });
  });
  assert.ok((await lost) instanceof Lost);
  // The next gets it once the first has let go, long before the resume window is over.
  const { client } = await opened(daemon);
  await client.connect();
  await telegram.nextBytes(8, 8);
  assert.equal(telegram.connected, 1);
});

test("a loss that nobody is told of ends the process", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const program = Program.start(t, "mtcute-program", daemon.socket, "unbound");
  assert.equal(await program.line(), "held");
  await daemon.client(t).endHold("alice");
  const { code, error } = await program.end();
  assert.notEqual(code, 0);
  assert.match(error, /the hold of alice was lost/u);
});

test("after a kill the next goes on from the exact state", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  await stored(daemon.client(t), loggedIn(443));
  const program = Program.start(t, "mtcute-program", daemon.socket, "reporting");
  assert.equal(await program.line(), "held");
  const waiting = opened(daemon);
  let last = 0;
  for (let line = await program.line(); line !== undefined; line = await program.line()) {
    last = Number(line);
    if (last === 50) program.kill();
  }
  const { client } = await waiting;
  const state = await client.storage.updates.getState();
  assert.ok(state);
  // Nothing that was saved is lost; one that was under way may be there, and then is there whole.
  assert.ok(state[0] === last || state[0] === last + 1, `${state[0]} after ${last}`);
  assert.deepEqual(state, [state[0], state[0], state[0], state[0]]);
  assert.equal(await client.storage.updates.getChannelPts(7), state[0]);
});

test("a daemon that is away holds nothing up, and has everything when it is back", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const { client, storage } = await opened(daemon);
  await daemon.end("SIGKILL");
  await client.storage.updates.setPts(5);
  const saved = client.mt.storage.save();
  await client.storage.updates.setPts(6);
  await client.storage.peers.store(user(5));
  assert.equal((await storage.peers.getById(5))?.id, 5);
  daemon.start();
  await saved;
  await client.mt.storage.save();
  const { session } = await daemon.client(t).load("alice");
  assert.equal(session?.state?.pts, 6);
  await client.destroy();
});

test(
  "a storage that was let go is used by no other client; one that is deleted is gone",
  { skip: needsDaemon },
  async (t) => {
    const daemon = await Daemon.start(t);
    await stored(daemon.client(t), loggedIn(443));
    const storage = await SessiondStorage.open("alice", { socket: daemon.socket });
    await storage.delete();
    assert.throws(() => storage.driver.load(), { code: "CLOSED" });
    assert.equal(await read(daemon.client(t)), undefined);
  },
);

test("a session that never had an address is where Telegram's data centers are", { skip: needsDaemon }, async (t) => {
  const daemon = await Daemon.start(t);
  const user = { id: ALICE, dc: 4, bot: false };
  await stored(daemon.client(t), { dcs: [{ id: 4, auth: new AuthKey(KEY) }], user });
  const { client } = await opened(daemon);
  assert.equal((await client.mt.storage.dcs.fetch())?.main.ipAddress, "149.154.167.91");
  await client.destroy();
  // Of DC 2 mtcute knows by itself, and also whether it is the test servers'.
  await stored(daemon.client(t), { dcs: [{ id: 2, auth: new AuthKey(KEY) }], user: { ...user, dc: 2 } });
  const { client: next } = await opened(daemon);
  assert.equal(await next.mt.storage.dcs.fetch(), null);
});
