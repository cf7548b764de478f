/**
 * The conformance scenarios' program in TypeScript: reads calls from its standard input, makes them on the package's
 * public API, and writes what came of them. tests/conformance/README.md has the language.
 */

import { Client as Channel, credentials } from "@grpc/grpc-js";
import {
  type AdvanceStream,
  type AttributeFilter,
  type Client,
  connect,
  type ConnectOptions,
  type HeldSession,
  type Hold,
  type HoldOptions,
  type ListOptions,
  type MergeOptions,
  type PutAttributesOptions,
  type Watch,
  type WatchOptions,
} from "@sessiond/client";
import { createInterface } from "node:readline";
import { inspect } from "node:util";

import * as text from "./driver-text.js";

/** A call, as the runner writes it. */
type Call = Record<string, unknown> & { readonly id: number; readonly call: string };

/** What the program has, by the names that the runner gave it. */
class Program {
  readonly #client = connect({ label: "driver" });
  readonly #clients = new Map<string, Client>();
  readonly #holds = new Map<string, HeldSession | Hold>();
  readonly #streams = new Map<string, AdvanceStream>();
  readonly #watches = new Map<string, Watch>();

  /** What each call does. */
  readonly calls: Record<string, (call: Call) => Promise<object> | object> = {
    connect: (call) => {
      this.#clients.set(
        string(call.as),
        connect(text.optional<ConnectOptions>({ deadlineMs: call.deadline_ms, label: call.label })),
      );
      return {};
    },
    hold: async (call) => {
      const { id } = call;
      const options = text.optional<HoldOptions>({ wait: call.wait, label: call.label });
      const hold = await this.#of(call).hold(string(call.name), {
        ...options,
        onWaiting: (waiting) => say({ id, event: { waiting } }),
        // Whoever asks is told by the signal.
        onLost: () => undefined,
      });
      this.#holds.set(string(call.as), hold);
      const { fence, revision, session } = hold;
      return { fence, revision, session: session && text.session(session) };
    },
    token: (call) => ({ token: this.#held(call).token.expose() }),
    with_token: (call) => {
      this.#holds.set(string(call.as), this.#of(call).held(string(call.name), text.token(string(call.token))));
      return {};
    },
    lost: async (call) => {
      const { signal } = this.#held(call);
      if (!signal.aborted)
        await new Promise((aborted) => {
          signal.addEventListener("abort", aborted);
        });
      return { lost: text.lostReason(signal.reason) };
    },
    release: async (call) => {
      await this.#hold(call).release();
      return {};
    },
    drop: (call) => {
      this.#hold(call).drop();
      return {};
    },
    load: async (call) => {
      const loaded = await (call.hold === undefined ? this.#of(call).load(string(call.name)) : this.#held(call).load());
      return { ...loaded, session: loaded.session && text.session(loaded.session) };
    },
    save: async (call) => {
      const session = text.readSession(call.session);
      const options = {
        ...text.writeOptions(call),
        ...text.optional<MergeOptions>({ clear: text.camelCased(call.clear) }),
      };
      const held = this.#held(call);
      const revision = await (call.mode === "MERGE" ? held.merge(session, options) : held.save(session, options));
      return { revision };
    },
    advance: async (call) => {
      const revision = await this.#held(call).advance(text.readChange(call.change), text.writeOptions(call));
      return { revision };
    },
    delete: async (call) => ({ revision: await this.#held(call).delete(text.writeOptions(call)) }),
    stream: (call) => {
      this.#streams.set(string(call.as), this.#held(call).advanceStream());
      return {};
    },
    push: async (call) => {
      let sequence = 0n;
      for (const change of call.changes as unknown[]) {
        sequence = await this.#stream(call).push(text.readChange(change));
      }
      return { sequence };
    },
    durable: (call) => this.#stream(call).durable(BigInt(string(call.sequence))),
    finish: async (call) => ({ revision: await this.#stream(call).finish() }),
    watch: (call) => {
      const watch = this.#of(call).watch(
        text.optional<WatchOptions>({
          names: call.names,
          namePrefix: call.name_prefix,
          mode: call.mode,
          after: text.readPosition(call.after),
          bookmarkIntervalMs: call.bookmark_interval_ms,
        }),
      );
      this.#watches.set(string(call.as), watch);
      return {};
    },
    events: async (call) => {
      const events: object[] = [];
      while (events.length < Number(call.count)) {
        const { value } = await this.#watch(call).next();
        if (!value) throw new Error("the watch has ended");
        if (value.type !== "bookmark" || call.bookmarks === true) events.push(text.event(value));
      }
      return { events };
    },
    restarted: async (call) => {
      for (;;) {
        const { value } = await this.#watch(call).next();
        if (!value) throw new Error("the watch has ended");
        if (value.type === "restarted") return { reason: value.reason };
      }
    },
    position: (call) => ({ ...this.#watch(call).position }),
    close: (call) => {
      this.#watch(call).close();
      return {};
    },
    list: async (call) => {
      const sessions: object[] = [];
      const options = text.optional<ListOptions>({ namePrefix: call.name_prefix });
      for await (const session of this.#of(call).list(options)) sessions.push(session);
      return { sessions };
    },
    info: async (call) => {
      const { engine, storeId, features } = await this.#of(call).info();
      return { engine, storeId, features };
    },
    end_hold: async (call) => {
      await this.#of(call).endHold(string(call.name));
      return {};
    },
    put_peers: (call) => this.#held(call).peers.put((call.peers as unknown[]).map(text.readPeer)),
    get_peers: async (call) => {
      const peers = await this.#held(call).peers.get((call.keys as unknown[]).map(text.readPeerKey));
      return { peers: peers.map((peer) => (peer ? text.peer(peer) : null)) };
    },
    list_peers: async (call) => {
      const peers: object[] = [];
      for await (const peer of this.#held(call).peers.list(text.readPeerFilter(call))) peers.push(text.peer(peer));
      return { peers };
    },
    delete_peers: async (call) => {
      const { peers } = this.#held(call);
      const ids = ((call.ids ?? []) as string[]).map(BigInt);
      const { revision, changed } = await (call.all === true ? peers.deleteAll() : peers.delete(ids));
      return { revision, deleted: changed };
    },
    put_attributes: async (call) => {
      const attributes = ((call.attributes ?? []) as unknown[]).map(text.readAttribute);
      const options = text.optional<PutAttributesOptions>({ deleteKeys: call.delete_keys });
      return { revision: await this.#held(call).attributes.put(attributes, options) };
    },
    get_attributes: async (call) => {
      return {
        attributes: await this.#held(call)
          .attributes.get(call.keys as string[])
          .then(text.attributes),
      };
    },
    list_attributes: async (call) => {
      const found = [];
      const filter = text.optional<AttributeFilter>({ prefix: call.prefix, keysOnly: call.keys_only });
      for await (const attribute of this.#held(call).attributes.list(filter)) found.push(attribute);
      return { attributes: text.attributes(found) };
    },
    delete_attributes: async (call) => {
      const { attributes } = this.#held(call);
      const { revision, changed } = await (call.prefix === undefined
        ? attributes.delete(call.keys as string[])
        : attributes.deleteBelow(string(call.prefix)));
      return { revision, deleted: changed };
    },
    show: (call) => {
      const hold = this.#hold(call);
      return { text: [hold, hold.session, hold.token].map((shown) => inspect(shown, { depth: null })).join("\n") };
    },
    measure: async (call) => {
      const count = Number(call.count);
      const made = call.what === "empty" ? emptyCall(this.#client.socket) : this.#advances(call);
      return { p50Us: await median(count, made) };
    },
  };

  #of(call: Call): Client {
    return call.client === undefined ? this.#client : known(this.#clients, call.client);
  }

  #held(call: Call): HeldSession {
    return known(this.#holds, call.hold);
  }

  #hold(call: Call): Hold {
    return known(this.#holds, call.hold) as Hold;
  }

  #stream(call: Call): AdvanceStream {
    return known(this.#streams, call.stream);
  }

  #watch(call: Call): Watch {
    return known(this.#watches, call.watch);
  }

  #advances(call: Call): () => Promise<unknown> {
    const held = this.#held(call);
    let pts = 0;
    return () => held.advance({ pts: (pts += 1) });
  }
}

/** grpc.health.v1.Health/Check, whose request and whose answer are of no interest. */
function emptyCall(socket: string): () => Promise<unknown> {
  const options = { "grpc.default_authority": "localhost" };
  const channel = new Channel(`unix:${socket}`, credentials.createInsecure(), options);
  const asItIs = (bytes: Buffer): Buffer => bytes;
  return () =>
    new Promise((resolve, reject) => {
      channel.makeUnaryRequest("/grpc.health.v1.Health/Check", asItIs, asItIs, Buffer.alloc(0), (error, answer) => {
        if (error) reject(error);
        else resolve(answer);
      });
    });
}

/** The median time of so many calls, one after the other, in microseconds. */
async function median(count: number, call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let made = 0; made < count; made += 1) {
    const began = process.hrtime.bigint();
    await call();
    times.push(Number(process.hrtime.bigint() - began) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(count / 2)] ?? 0;
}

function known<Thing>(things: Map<string, Thing>, name: unknown): Thing {
  const thing = things.get(string(name));
  if (thing === undefined) throw new Error(`nothing here is called ${string(name)}`);
  return thing;
}

function string(value: unknown): string {
  if (typeof value !== "string") throw new Error(`${JSON.stringify(value)} is no string`);
  return value;
}

function say(answer: object): void {
  process.stdout.write(`${JSON.stringify(text.plain(answer))}\n`);
}

async function answer(program: Program, call: Call): Promise<void> {
  const { id } = call;
  try {
    const made = program.calls[call.call];
    if (!made) throw new Error(`there is no call ${call.call}`);
    say({ id, ok: await made(call) });
  } catch (error) {
    say({ id, error: text.error(error) });
  }
}

async function main(): Promise<void> {
  const program = new Program();
  for await (const line of createInterface({ input: process.stdin })) {
    void answer(program, JSON.parse(line) as Call);
  }
  // Without letting anything go.
  process.exit();
}

void main();
