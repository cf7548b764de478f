import type { User } from "../../gen/sessiond/v1/session.js";
import { AuthKey } from "../../secret.js";
import type { Session } from "../../session.js";
import { homeEndpoint, homeKey, homeOf, knownHome, movedHome } from "../home.js";
import type { Endpoint } from "../data-centers.js";
import type { Outbox } from "../outbox.js";

/** What GramJS knows of the account itself. */
export interface Self {
  readonly id: bigint;
  readonly bot: boolean;
  readonly username: string | undefined;
}

/** Where the account's home is, with which key, and who is logged in: what GramJS changes is queued. */
export class Account {
  readonly #outbox: Outbox;
  #home: number | undefined;
  #endpoint: Endpoint | undefined;
  #key: AuthKey | undefined;
  #user: User | undefined;
  /** The key that the daemon has, or will have. */
  #saved: AuthKey | undefined;

  constructor(session: Session, outbox: Outbox) {
    this.#outbox = outbox;
    this.#home = knownHome(session) ?? (session.dcs.length > 0 ? homeOf(session) : undefined);
    this.#endpoint = this.#home === undefined ? undefined : homeEndpoint(session);
    this.#key = this.#saved = homeKey(session);
    this.#user = session.user;
  }

  /** Undefined: the library begins where it likes. */
  get home(): (Endpoint & { readonly id: number }) | undefined {
    return this.#home === undefined || !this.#endpoint ? undefined : { id: this.#home, ...this.#endpoint };
  }

  /** The home data center's key. A secret. */
  get key(): AuthKey | undefined {
    return this.#key;
  }

  move(id: number, endpoint: Endpoint): void {
    const { address, port } = endpoint;
    if (id === this.#home && address === this.#endpoint?.address && port === this.#endpoint.port) return;
    if (id !== this.#home) this.#key = this.#saved = undefined;
    this.#home = id;
    this.#endpoint = endpoint;
    this.#user &&= { ...this.#user, dc: id };
    this.#outbox.merge({ session: { ...movedHome(id, endpoint, undefined), user: this.#user } });
  }

  /** The home data center's key, or that the library wants a new one. */
  useKey(bytes: Uint8Array | undefined): void {
    this.#key = bytes && new AuthKey(bytes);
    this.#saveKey();
  }

  /** Somebody is logged in. The key goes along: the library uses the same one on after a log-out. */
  logIn({ id, bot, username }: Self): void {
    const known = this.#user;
    if (known?.id === id && known.bot === bot && known.username === username) return;
    const dc = this.#home ?? homeOf({ dcs: [] });
    this.#user = { id, dc, bot, username };
    this.#outbox.merge({ session: { dcs: [{ id: dc, auth: this.#key }], user: this.#user, homeDc: dc } });
    this.#saved = this.#key;
  }

  /** Forgets who is logged in, with every key, the counters, and whom the account knew. */
  logOut(): void {
    this.#user = this.#saved = undefined;
    const clear = { user: true, state: true, channels: true, allAuth: true };
    this.#outbox.merge({ session: { dcs: [], homeDc: this.#home }, clear });
    this.#outbox.forgetPeers();
  }

  #saveKey(): void {
    const auth = this.#key;
    if (!auth || this.#home === undefined || this.#saved?.equals(auth)) return;
    this.#saved = auth;
    this.#outbox.merge({ session: { dcs: [{ id: this.#home, auth }] } });
  }
}
