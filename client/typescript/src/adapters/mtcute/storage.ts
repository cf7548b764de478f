import type { ITelegramStorageProvider } from "@mtcute/core";

import { Closed } from "../../error.js";
import type { Hold } from "../../hold.js";
import { Alarm } from "../alarm.js";
import { type SessionOptions, Tenure } from "../tenure.js";
import { Account } from "./account.js";
import { AuthKeys, TEMPORARY } from "./auth-keys.js";
import { KEY_VALUE, KeyValues } from "./key-values.js";
import { KnownPeers } from "./known-peers.js";
import { BY_PEER, References } from "./references.js";
import { KeyedState } from "./update-state.js";
import { Values } from "./values.js";

/** How long mtcute waits for the daemon to have what it saves, before it goes on. What waits is written later. */
const PATIENCE_MS = 5000;

/** What mtcute's client has that is used here. */
export interface Destroyable {
  destroy(): Promise<unknown>;
}

/**
 * A session of mtcute that lives in sessiond:
 *
 * ```js
 * const storage = await SessiondStorage.open("alice");
 * const client = storage.bind(new TelegramClient({ apiId, apiHash, storage }));
 * ```
 *
 * It is held from `open` until the client is destroyed. What mtcute saves, it saves once the daemon has it; if none
 * answers, mtcute goes on after 5 s, and what waits is written later.
 */
export class SessiondStorage implements ITelegramStorageProvider {
  readonly #tenure: Tenure;
  readonly #alarm: Alarm;
  #ended: Promise<void> | undefined;
  /** For mtcute. */
  readonly driver = {
    load: (): void => {
      if (this.#ended) throw new Closed();
    },
    save: (): Promise<void> => this.#save(),
    destroy: (): Promise<void> => this.close(),
  };
  readonly kv: KeyValues;
  readonly authKeys: AuthKeys;
  readonly peers: KnownPeers;
  readonly refMessages: References;

  private constructor(tenure: Tenure, alarm: Alarm, kept: Kept) {
    this.#tenure = tenure;
    this.#alarm = alarm;
    const { hold, outbox, session } = tenure;
    const values = new Values(kept.values, outbox, { secret: false });
    const account = new Account(session, values, outbox);
    this.kv = new KeyValues(new KeyedState(session.state, outbox), account, values);
    const temporary = new Values(kept.temporary, outbox, { secret: true });
    this.authKeys = new AuthKeys(account, temporary, () => this.#save());
    this.peers = new KnownPeers(hold.peers, outbox);
    this.refMessages = new References(kept.references, outbox);
  }

  /**
   * Takes a session for this process alone, and waits in line if another has it.
   *
   * @throws LoggedOut: it is, and must not be. HeldByAnother, where `wait` is false. Unavailable, and others
   */
  static async open(name: string, options: SessionOptions = {}): Promise<SessiondStorage> {
    const alarm = new Alarm(options.onLost);
    const tenure = await Tenure.begin(name, { label: "mtcute", ...options }, (lost) => alarm.ring(lost));
    try {
      return new SessiondStorage(tenure, alarm, await kept(tenure.hold));
    } catch (error) {
      await tenure.end();
      throw error;
    }
  }

  /** Destroys the client when the hold is lost. Gives the client. */
  bind<Client extends Destroyable>(client: Client): Client {
    this.#alarm.bind(() => client.destroy());
    return client;
  }

  /**
   * Writes what is new, and lets the session go. mtcute does it when its client is destroyed; this is for programs that
   * make none.
   *
   * @throws Unavailable: what was written last is not stored. Or what the daemon has refused for good.
   */
  close(): Promise<void> {
    this.#ended ??= this.#tenure.end();
    return this.#ended;
  }

  /** Deletes the session, and lets it go. */
  delete(): Promise<void> {
    this.#ended ??= this.#tenure.delete();
    return this.#ended;
  }

  async #save(): Promise<void> {
    if (!this.#ended) await this.#tenure.outbox.flush(PATIENCE_MS);
  }
}

/** What is kept beside the session. */
interface Kept {
  readonly values: Map<string, Uint8Array>;
  readonly temporary: Map<string, Uint8Array>;
  readonly references: string[];
}

async function kept({ attributes }: Hold): Promise<Kept> {
  const all: Kept = { values: new Map(), temporary: new Map(), references: [] };
  for (const prefix of [KEY_VALUE, "user_"]) {
    for await (const { key, value } of attributes.list({ prefix })) all.values.set(key, Uint8Array.from(value));
  }
  for await (const { key, value } of attributes.list({ prefix: TEMPORARY }))
    all.temporary.set(key, Uint8Array.from(value));
  for await (const { key } of attributes.list({ prefix: BY_PEER, keysOnly: true })) all.references.push(key);
  return all;
}
