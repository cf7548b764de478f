import { setImmediate as nextTurn } from "node:timers/promises";

import type { Hold } from "../../hold.js";
import { Alarm } from "../alarm.js";
import { type SessionOptions, Tenure } from "../tenure.js";
import { Account } from "./account.js";
import { Entities, type Found, type Row } from "./entities.js";
import { int64, view } from "../bytes.js";
import { type BigNumber, isLoggedOut, type Library, type LibraryKey, type MemorySession, selfIn } from "./library.js";

/** How long the library waits for the daemon to have what it saves, before it goes on. What waits is written later. */
const PATIENCE_MS = 5000;
/** Peers that are read before the event loop has its turn again: about half a millisecond. */
const AT_ONCE = 100;
/** The attribute under which the takeout is that is under way. */
const TAKEOUT = "takeout_id";

/** What the library's client has that is used here. */
export interface Destroyable {
  destroy(): Promise<unknown>;
}

/** What a session has beside what the library asks of it. */
export interface SessiondControls {
  /** Destroys the client when the hold is lost, and closes the session. Gives the client. */
  bind<Client extends Destroyable>(client: Client): Client;
  /** Writes what is new, and lets the session go. The library never does: call it once the client is destroyed. */
  close(): Promise<void>;
  /** Deletes the session, and lets it go. The library never does. */
  delete(): Promise<void>;
  /** Waits until what is new is written, but not for long if no daemon answers. */
  save(): Promise<void>;
}

/** While it is held. */
interface Open {
  readonly tenure: Tenure;
  readonly account: Account;
}

/**
 * Makes the session of a library, on top of the library's own `MemorySession`.
 *
 * `load`, which the library awaits before it connects, takes the session; everything else answers from memory, and is
 * written in the background. `save` gives a promise of that; it never fails, since the library does not always wait for
 * it. What the daemon has refused is a warning of the process, and fails `close`.
 */
export function sessionClass<Base>(
  library: Library<Base>,
  label: string,
): new (name: string, options?: SessionOptions) => SessiondControls & Base {
  const Memory: new () => MemorySession = library.MemorySession;
  class SessiondSession extends Memory implements SessiondControls {
    readonly #name: string;
    readonly #options: SessionOptions;
    readonly #alarm: Alarm;
    readonly #entities = new Entities();
    #opening: Promise<Open> | undefined;
    #open: Open | undefined;

    constructor(name: string, options: SessionOptions = {}) {
      super();
      this.#name = name;
      this.#options = { label, ...options };
      this.#alarm = new Alarm(options.onLost);
    }

    bind<Client extends Destroyable>(client: Client): Client {
      this.#alarm.bind(async () => {
        await client.destroy();
        await this.close();
      });
      return client;
    }

    async load(): Promise<void> {
      // The library loads again whenever it connects.
      this.#opening ??= this.#begin();
      try {
        this.#open = await this.#opening;
      } catch (error) {
        this.#opening = undefined;
        throw error;
      }
    }

    override setDC(dcId: number, serverAddress: string, port: number): void {
      super.setDC(dcId, serverAddress, port);
      this.#open?.account.move(dcId, { address: serverAddress, port });
    }

    get authKey(): LibraryKey | undefined {
      return this._authKey;
    }

    set authKey(value: LibraryKey | undefined) {
      this._authKey = value;
      this.#open?.account.useKey(value?.getKey());
    }

    get takeoutId(): BigNumber | undefined {
      return this._takeoutId;
    }

    /** The takeout that is under way is kept for the next program too. */
    set takeoutId(value: BigNumber | undefined) {
      this._takeoutId = value;
      const kept = value === undefined ? undefined : int64(BigInt(value.toString()));
      this.#open?.tenure.outbox.putAttributes({ key: TAKEOUT, ...(kept && { value: kept }) });
      this.#open?.tenure.outbox.wake();
    }

    async save(): Promise<void> {
      await this.#open?.tenure.outbox.settle(PATIENCE_MS);
    }

    async close(): Promise<void> {
      await this.#end((tenure) => tenure.end());
    }

    async delete(): Promise<void> {
      await this.#end((tenure) => tenure.delete());
    }

    processEntities(tlo: unknown): void {
      if (!this.#open) return;
      const { account, tenure } = this.#open;
      if (isLoggedOut(tlo)) {
        account.logOut();
        this.takeoutId = undefined;
        this.#entities.clear();
      } else if (typeof tlo === "object" && tlo !== null) {
        const self = selfIn(tlo);
        if (self) account.logIn(self);
        for (const row of this._entitiesToRows(tlo)) {
          const peer = this.#entities.met(row as unknown as Row);
          if (peer) tenure.outbox.putPeer({ ...peer, ...(peer.id === self?.id && { isSelf: true }) });
        }
      }
      tenure.outbox.wake();
    }

    getEntityRowsByPhone(phone: string): Found | undefined {
      return this.#entities.byPhone(phone);
    }

    getEntityRowsByUsername(username: string): Found | undefined {
      return this.#entities.byUsername(username);
    }

    getEntityRowsByName(name: string): Found | undefined {
      return this.#entities.byName(name);
    }

    getEntityRowsById(id: { toString(): string }, exact = true): Found | undefined {
      return exact ? this.#entities.byId(id.toString()) : this.#entities.byBareId(id.toString());
    }

    async #begin(): Promise<Open> {
      const tenure = await Tenure.begin(this.#name, this.#options, (lost) => this.#alarm.ring(lost));
      try {
        const { session, outbox } = tenure;
        const account = new Account(session, outbox);
        await this.#remember(tenure.hold);
        const [takeout] = await tenure.hold.attributes.get([TAKEOUT]);
        this._takeoutId = takeout && library.returnBigInt(view(takeout.value).readBigInt64LE());
        await this.#take(account);
        return { tenure, account };
      } catch (error) {
        await tenure.end();
        throw error;
      }
    }

    /** Reads whom the account knows: the library asks for them without waiting. */
    async #remember({ peers }: Hold): Promise<void> {
      this.#entities.clear();
      let loaded = 0;
      for await (const peer of peers.list()) {
        this.#entities.load(peer);
        loaded += 1;
        if (loaded % AT_ONCE === 0) await nextTurn();
      }
    }

    async #take({ home, key }: Account): Promise<void> {
      this._dcId = home?.id ?? 0;
      this._serverAddress = home?.address;
      this._port = home?.port;
      this._authKey = undefined;
      if (!key) return;
      this._authKey = new library.AuthKey();
      await this._authKey.setKey(Buffer.from(key.expose()));
    }

    async #end(end: (tenure: Tenure) => Promise<void>): Promise<void> {
      const open = await this.#opening?.catch(() => undefined);
      this.#open = this.#opening = undefined;
      if (open) await end(open.tenure);
    }
  }
  // It is the library's own session, with what is told above: the library's types are only known to who names it.
  return SessiondSession as unknown as new (name: string, options?: SessionOptions) => SessiondControls & Base;
}
