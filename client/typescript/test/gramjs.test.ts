/** GramJS's own client, and teleproto's, unmodified, on sessiond. */

import { AuthKey, type Client, HeldByAnother, Lost, type Session } from "@sessiond/client";
import { LoggedOut, SessiondSession as GramjsSession, type SessionOptions } from "@sessiond/client/gramjs";
import { SessiondSession as TeleprotoSession } from "@sessiond/client/teleproto";
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import * as telegram from "telegram";
import { _handleUpdate as handleUpdate } from "telegram/client/updates";
import { AuthKey as GramjsKey } from "telegram/crypto/AuthKey";
import { PromisedNetSockets } from "telegram/extensions";
import { Logger, LogLevel } from "telegram/extensions/Logger";
import * as teleproto from "teleproto";
import { _handleUpdate as teleprotoUpdate } from "teleproto/client/updates";
import { AuthKey as TeleprotoKey } from "teleproto/crypto/AuthKey";
import { PromisedNetSockets as TeleprotoSockets } from "teleproto/extensions";
import bigInt from "big-integer";

import { Daemon, needsDaemon } from "./support/daemon.js";
import { keyId, madeUpKey, SilentTelegram } from "./support/telegram.js";

const KEY = madeUpKey(1);
const OTHER_KEY = madeUpKey(2);
const ALICE = 4_398_046_511_104n;

/** What of a client is used here, some of it for the library's own use. */
interface Internals {
  getDC(id: number): Promise<{ id: number; ipAddress: string; port: number }>;
  _switchDC(id: number): Promise<unknown>;
  _authKeyCallback(key: unknown, dc: number): Promise<void>;
}

/** The library, and the session that is made for it. teleproto is GramJS under another name, and has its types. */
interface Library {
  readonly name: string;
  readonly Session: typeof GramjsSession;
  readonly telegram: typeof telegram;
  readonly Key: typeof GramjsKey;
  readonly Sockets: typeof PromisedNetSockets;
  /** What a sender gives all that Telegram tells unasked; its own type is too narrow. */
  readonly handleUpdate: (client: telegram.TelegramClient, update: unknown) => void;
}

const LIBRARIES: readonly Library[] = [
  {
    name: "GramJS",
    Session: GramjsSession,
    telegram,
    Key: GramjsKey,
    Sockets: PromisedNetSockets,
    handleUpdate: handleUpdate as Library["handleUpdate"],
  },
  {
    name: "teleproto",
    Session: TeleprotoSession as unknown as typeof GramjsSession,
    telegram: teleproto as unknown as typeof telegram,
    Key: TeleprotoKey as unknown as typeof GramjsKey,
    Sockets: TeleprotoSockets as unknown as typeof PromisedNetSockets,
    handleUpdate: teleprotoUpdate as unknown as Library["handleUpdate"],
  },
];

// What the libraries ask for, to the letter.
export const sessions: [telegram.sessions.Session, teleproto.sessions.Session] = [
  new GramjsSession("alice"),
  new TeleprotoSession("alice"),
];

/** A session of alice, logged in at a data center whose address the library goes to. */
const LOGGED_IN: Session = {
  dcs: [
    { id: 2, ipv4Addr: "149.154.167.50:443", auth: new AuthKey(KEY) },
    { id: 4, auth: new AuthKey(OTHER_KEY) },
  ],
  user: { id: ALICE, dc: 2, bot: false, username: "alice" },
  state: { pts: 100, qts: 3, date: 1767225600n, seq: 9, channels: [] },
  homeDc: 2,
};

async function stored(client: Client, session: Session): Promise<void> {
  await client.withHold("alice", {}, (hold) => hold.save(session));
}

async function read(client: Client): Promise<Session | undefined> {
  return client.withHold("alice", { wait: true }, async (hold) => (await hold.load()).session);
}

for (const { name, Session, telegram: library, Key, Sockets, handleUpdate: handle } of LIBRARIES) {
  const { Api, TelegramClient } = library;

  /** A stock client on alice, and the addresses that it went to, in place of which it finds who listens here. */
  function client(
    daemon: Daemon,
    port: number,
    options: SessionOptions = {},
  ): { client: telegram.TelegramClient & Internals; session: GramjsSession; dialled: string[] } {
    const dialled: string[] = [];
    class Redirected extends Sockets {
      override connect(_: number, ip: string): Promise<this> {
        dialled.push(ip);
        return super.connect(port, "127.0.0.1") as Promise<this>;
      }
    }
    const session = new Session("alice", { socket: daemon.socket, ...options });
    const baseLogger = new Logger(LogLevel.NONE);
    const settings = { networkSocket: Redirected, connectionRetries: 1, baseLogger };
    const made = new TelegramClient(session, 1, "hash", settings);
    session.bind(made);
    daemon.beforeEnd(async () => {
      await made.destroy();
      await session.close();
    });
    return { client: made, session, dialled };
  }

  /** An update that shows a user, a channel and a group. */
  function update(): telegram.Api.Updates {
    const rest = { title: "Title", photo: new Api.ChatPhotoEmpty(), date: 0 };
    return new Api.Updates({
      updates: [],
      users: [
        new Api.User({ id: bigInt(5), accessHash: bigInt(-55), username: "Annabel", phone: "123", firstName: "Anna" }),
      ],
      chats: [
        new Api.Channel({ id: bigInt(1234567890), accessHash: bigInt(66), ...rest, title: "Channel" }),
        new Api.Chat({ id: bigInt(7), participantsCount: 1, version: 1, ...rest }),
      ],
      date: 0,
      seq: 0,
    });
  }

  describe(name, { skip: needsDaemon }, () => {
    /** Begins to connect, and waits until the client has shown a key. It goes no further here: nobody answers. */
    async function connecting(telegramAt: SilentTelegram, made: telegram.TelegramClient): Promise<Buffer> {
      const shown = telegramAt.nextBytes(8, 8);
      made.connect().catch(() => undefined);
      return shown;
    }

    async function start(t: TestContext): Promise<[Daemon, SilentTelegram]> {
      return Promise.all([Daemon.start(t), SilentTelegram.start(t)]);
    }

    test("a client connects to where the session is at home, with the held key", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const { client: made, dialled } = client(daemon, listener.port);
      assert.deepEqual(await connecting(listener, made), keyId(KEY));
      assert.deepEqual(dialled, ["149.154.167.50"]);
    });

    test("a login is there for the next, after a move to another data center", async (t) => {
      const [daemon, listener] = await start(t);
      const { client: made, session, dialled } = client(daemon, listener.port);
      // There is no key yet: the exchange of one begins in the clear.
      assert.deepEqual(await connecting(listener, made), Buffer.alloc(8));
      const key = new Key();
      await key.setKey(Buffer.from(KEY));
      await made._authKeyCallback(key, session.dcId);
      assert.equal((await daemon.client(t).load("alice")).session?.dcs[0]?.id, 4);

      made.getDC = (id) => Promise.resolve({ id, ipAddress: "149.154.167.51", port: 443 });
      const shown = listener.nextBytes(8, 8);
      made._switchDC(2).catch(() => undefined);
      assert.deepEqual(await shown, Buffer.alloc(8));
      assert.equal(dialled[1], "149.154.167.51");
      const other = new Key();
      await other.setKey(Buffer.from(OTHER_KEY));
      await made._authKeyCallback(other, 2);
      const self = new Api.User({ id: bigInt(ALICE), accessHash: bigInt(1), self: true, bot: true, username: "alice" });
      session.processEntities([self]);
      await made.destroy();
      await session.close();

      const { dcs, ...rest } = (await read(daemon.client(t))) ?? { dcs: [] };
      assert.deepEqual(rest, { user: { id: ALICE, dc: 2, bot: true, username: "alice" }, homeDc: 2 });
      assert.deepEqual(dcs, [
        { id: 2, ipv4Addr: "149.154.167.51:443", auth: new AuthKey(OTHER_KEY), hasAuth: true },
        { id: 4, ipv4Addr: "149.154.167.91:80", auth: new AuthKey(KEY), hasAuth: true },
      ]);
      const next = client(daemon, listener.port);
      assert.deepEqual(await connecting(listener, next.client), keyId(OTHER_KEY));
    });

    test("what the library does not know is kept", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const { client: made, session } = client(daemon, listener.port);
      await connecting(listener, made);
      session.setAuthKey(undefined);
      await session.save();
      await made.destroy();
      await session.close();
      const { dcs, state } = (await read(daemon.client(t))) ?? { dcs: [] };
      assert.deepEqual(
        dcs.map(({ auth }) => auth),
        [new AuthKey(KEY), new AuthKey(OTHER_KEY)],
      );
      assert.equal(state?.pts, 100);
    });

    test("peers are found at once, and after a restart", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const { client: made, session } = client(daemon, listener.port);
      await connecting(listener, made);
      handle(made, update());
      assert.ok(session.getInputEntity("annabel") instanceof Api.InputPeerUser);
      await made.destroy();
      await session.close();

      const next = client(daemon, listener.port);
      await connecting(listener, next.client);
      const anna = new Api.InputPeerUser({ userId: bigInt(5), accessHash: bigInt(-55) });
      for (const key of ["annabel", "+123", "Anna", 5, "5"]) {
        const found = (await next.client.getInputEntity(key)) as telegram.Api.InputPeerUser;
        assert.deepEqual([found.userId, found.accessHash].map(String), [anna.userId, anna.accessHash].map(String));
      }
      const channel = next.session.getInputEntity(-1001234567890) as telegram.Api.InputPeerChannel;
      assert.equal(String(channel.accessHash), "66");
      assert.ok(next.session.getInputEntity("-7") instanceof Api.InputPeerChat);
      assert.throws(() => next.session.getInputEntity("nobody"), /Could not find input entity/u);
      await next.client.destroy();
      await next.session.close();
      await daemon.client(t).withHold("alice", { wait: true }, async ({ peers }) => {
        const [known] = await peers.get([{ username: "annabel" }]);
        assert.deepEqual([known?.id, known?.name, known?.kind], [5n, "Anna", "USER"]);
      });
    });

    test("a takeout that is under way is known to the next, until it is over", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const takeouts: unknown[] = [];
      for (const takeout of [bigInt("-7000000000000000007"), undefined]) {
        const { client: made, session } = client(daemon, listener.port);
        await connecting(listener, made);
        takeouts.push(session.takeoutId);
        // Their types say that there never is one.
        Object.assign(session, { takeoutId: takeout });
        await made.destroy();
        await session.close();
      }
      assert.deepEqual(takeouts.map(String), ["undefined", "-7000000000000000007"]);
      await daemon.client(t).withHold("alice", { wait: true }, async ({ attributes }) => {
        assert.deepEqual(await attributes.get(["takeout_id"]), []);
      });
    });

    test("to log out is to log out, and the next login is stored with its key", async (t) => {
      const [daemon, listener] = await start(t);
      const watcher = daemon.client(t);
      await stored(watcher, LOGGED_IN);
      const { client: made, session } = client(daemon, listener.port);
      await connecting(listener, made);
      handle(made, update());
      session.processEntities(new Api.auth.LoggedOut({}));
      await session.save();
      const { session: left } = await watcher.load("alice");
      assert.deepEqual([left?.user, left?.state], [undefined, undefined]);
      assert.deepEqual(
        left?.dcs.map(({ hasAuth }) => hasAuth),
        [false, false],
      );
      assert.throws(() => session.getInputEntity("annabel"));

      const user = new Api.User({ id: bigInt(77), accessHash: bigInt(1), self: true });
      session.processEntities(new Api.auth.Authorization({ user }));
      await made.destroy();
      await session.close();
      const again = await read(watcher);
      assert.deepEqual([again?.user?.id, again?.dcs[0]?.auth], [77n, new AuthKey(KEY)]);
    });

    test("who comes second is refused, or waits, and is told when it is logged out", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const first = client(daemon, listener.port, { label: "first" });
      await connecting(listener, first.client);
      const refused = client(daemon, listener.port, { wait: false });
      await assert.rejects(refused.client.connect(), HeldByAnother);
      let waiting: Promise<unknown> = Promise.resolve();
      const holder = await new Promise<string | undefined>((told) => {
        const next = client(daemon, listener.port, { onWaiting: (before) => told(before.holder?.label) });
        waiting = assert.rejects(next.client.connect(), LoggedOut);
      });
      assert.equal(holder, "first");
      first.session.processEntities(new Api.auth.LoggedOut({}));
      await first.client.destroy();
      await first.session.close();
      await waiting;
      const required = client(daemon, listener.port, { requireLogin: true });
      await assert.rejects(required.client.connect(), LoggedOut);
    });

    test("a lost hold destroys the client at once", async (t) => {
      const [daemon, listener] = await start(t);
      const operator = daemon.client(t);
      await stored(operator, LOGGED_IN);
      const lost = await new Promise<Lost>((onLost) => {
        const { client: made } = client(daemon, listener.port, { onLost });
        void connecting(listener, made).then(() => operator.endHold("alice"));
      });
      assert.ok(lost instanceof Lost);
      // The next gets it once the first has let go, long before the resume window is over.
      await connecting(listener, client(daemon, listener.port).client);
      assert.equal(listener.connected, 1);
    });

    test("a daemon that is away holds nothing up, and has everything when it is back", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const { client: made, session } = client(daemon, listener.port);
      await connecting(listener, made);
      await daemon.end("SIGKILL");
      handle(made, update());
      assert.ok(session.getInputEntity(5) instanceof Api.InputPeerUser);
      daemon.start();
      await made.destroy();
      await session.close();
      await daemon.client(t).withHold("alice", { wait: true }, async ({ peers }) => {
        assert.equal((await peers.get([{ id: 5n }])).filter(Boolean).length, 1);
      });
    });

    test("a session that is deleted is gone", async (t) => {
      const [daemon, listener] = await start(t);
      await stored(daemon.client(t), LOGGED_IN);
      const { client: made, session } = client(daemon, listener.port);
      await connecting(listener, made);
      await made.destroy();
      await session.delete();
      assert.equal(await read(daemon.client(t)), undefined);
    });
  });
}
