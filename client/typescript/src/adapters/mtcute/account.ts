import type { User } from "../../gen/sessiond/v1/session.js";
import { AuthKey } from "../../secret.js";
import type { Session } from "../../session.js";
import { homeEndpoint, homeOf, knownHome, movedHome, writtenEndpoint } from "../home.js";
import type { Outbox } from "../outbox.js";
import { int64, view } from "../bytes.js";
import { currentUserFromBytes, currentUserToBytes, dcOptionFromBytes, dcOptionToBytes } from "./tl.js";
import type { Values } from "./values.js";

/** Where mtcute's own choice begins; it knows by itself whether it wants the test servers. */
const FIRST_HOME = 2;

const FLAGS = "user_flags";
const USERNAMES = "user_usernames";
const PREMIUM = 1n;

/** Who is logged in, where, and with which keys: as mtcute has it, and as the session has it. */
export class Account {
  readonly #outbox: Outbox;
  readonly #values: Values;
  readonly #keys = new Map<number, AuthKey>();
  /** Without its keys. */
  #session: Session;

  /** @param values where what the session has no fields for is kept */
  constructor(session: Session, values: Values, outbox: Outbox) {
    this.#outbox = outbox;
    this.#values = values;
    for (const { id, auth } of session.dcs) if (auth) this.#keys.set(id, auth);
    this.#session = { ...session, dcs: session.dcs.map(({ id, ipv4Addr, ipv6Addr }) => ({ id, ipv4Addr, ipv6Addr })) };
  }

  /** What mtcute has under `dc_main`. Null: it begins where it likes. */
  dcMain(): Uint8Array | null {
    const session = this.#session;
    const id = knownHome(session);
    if (id === undefined || (id === FIRST_HOME && !writtenEndpoint(session) && session.testMode === undefined)) {
      return null;
    }
    const endpoint = homeEndpoint(session);
    return endpoint ? dcOptionToBytes({ id, endpoint, test: session.testMode === true }) : null;
  }

  setDcMain(bytes: Uint8Array): void {
    const option = dcOptionFromBytes(bytes);
    if (!option) return;
    const moved = movedHome(option.id, option.endpoint, option.test);
    const user = this.#session.user && { ...this.#session.user, dc: option.id };
    const others = this.#session.dcs.filter(({ id }) => id !== option.id);
    this.#session = { ...this.#session, ...moved, dcs: [...others, ...moved.dcs], user };
    this.#outbox.merge({ session: { ...moved, user } });
  }

  /** What mtcute has under `current_user`. Null: it asks Telegram, since nobody is logged in or too little is known. */
  currentUser(): Uint8Array | null {
    const { user } = this.#session;
    if (user?.bot === undefined) return null;
    const flags = this.#values.get(FLAGS);
    const premium = flags !== null && (view(flags).readBigInt64LE() & PREMIUM) !== 0n;
    return currentUserToBytes({ id: user.id, bot: user.bot, premium, usernames: this.#usernames(user) });
  }

  setCurrentUser(bytes: Uint8Array): void {
    const known = currentUserFromBytes(bytes);
    if (!known) {
      this.logOut();
      return;
    }
    const { id, bot, premium, usernames } = known;
    const dc = homeOf(this.#session);
    const user = { id, dc, bot, username: usernames[0] };
    // Another account's user takes the keys of other data centers with it.
    if (this.#session.user && this.#session.user.id !== id) this.#forgetAllKeysBut(dc);
    this.#session = { ...this.#session, user, homeDc: dc };
    // The key goes along: mtcute uses the same one on after a log-out.
    this.#outbox.merge({ session: { dcs: [{ id: dc, auth: this.#keys.get(dc) }], user, homeDc: dc } });
    this.#values.set(FLAGS, premium ? int64(PREMIUM) : null);
    this.#values.set(USERNAMES, usernames.length > 1 ? Buffer.from(usernames.join("\n")) : null);
  }

  /** Forgets who is logged in, with the key and the counters, and whom the account knew. */
  logOut(): void {
    const home = homeOf(this.#session);
    this.#session = { ...this.#session, user: undefined, homeDc: home };
    const clear = { user: true, state: true, channels: true, authDcs: [home] };
    this.#outbox.merge({ session: { dcs: [], homeDc: home }, clear });
    this.#outbox.forgetPeers();
    this.#values.set(FLAGS, null);
    this.#values.set(USERNAMES, null);
  }

  key(dc: number): Uint8Array | null {
    return this.#keys.get(dc)?.expose() ?? null;
  }

  setKey(dc: number, bytes: Uint8Array): void {
    const auth = new AuthKey(bytes);
    if (this.#keys.get(dc)?.equals(auth)) return;
    // mtcute tells which data center is its home only when it moves, and makes the home's key first.
    const homeDc = knownHome(this.#session) ?? (this.#keys.size === 0 ? dc : undefined);
    this.#keys.set(dc, auth);
    this.#session = { ...this.#session, homeDc };
    this.#outbox.merge({ session: { dcs: [{ id: dc, auth }], homeDc } });
  }

  forgetKey(dc: number): void {
    this.#keys.delete(dc);
    this.#outbox.merge({ session: { dcs: [] }, clear: { authDcs: [dc] } });
  }

  forgetKeys(): void {
    this.#keys.clear();
    this.#outbox.merge({ session: { dcs: [] }, clear: { allAuth: true } });
  }

  #forgetAllKeysBut(home: number): void {
    for (const dc of this.#keys.keys()) if (dc !== home) this.#keys.delete(dc);
  }

  /** All usernames, where those that are kept are still the user's. */
  #usernames({ username }: User): readonly string[] {
    const lines = this.#values.get(USERNAMES);
    const all = lines ? view(lines).toString().split("\n") : [];
    if (username !== undefined && all[0] === username) return all;
    return username === undefined ? [] : [username];
  }
}
