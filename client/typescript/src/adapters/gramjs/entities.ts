import type { Peer, PeerKind } from "../../peer.js";

/** A text, or a number of whatever kind. */
type Value = { toString(): string } | null | undefined;

/** What GramJS makes of a peer: marked id, access hash, username, phone and name. */
export type Row = readonly [id: Value, hash: Value, username: Value, phone: Value, name: Value];

/** Id and access hash, as GramJS looks them up. */
export type Found = [id: string, hash: string];

/** Channels' marked ids begin so. */
const CHANNEL_MARK = "-100";

/** The peers of a session, to be found at once: GramJS asks without waiting. */
export class Entities {
  readonly #hashes = new Map<string, string>();
  readonly #byUsername = new Map<string, string>();
  readonly #byPhone = new Map<string, string>();
  readonly #byName = new Map<string, string>();
  /** Everything that is known of a peer, as text, by its id. */
  readonly #known = new Map<string, string>();

  /** A peer that is stored. */
  load({ id, accessHash, usernames = [], phone, name }: Peer): void {
    if (accessHash !== undefined) this.#add([id, accessHash, usernames[0], phone, name]);
  }

  /** Takes in a peer. Undefined: it is known already. */
  met(row: Row): Peer | undefined {
    return this.#add(row) ? peerOf(row) : undefined;
  }

  byId(id: string): Found | undefined {
    const hash = this.#hashes.get(id);
    return hash === undefined ? undefined : [id, hash];
  }

  /** The peer of an id that may lack its mark: a user, else a group, else a channel. */
  byBareId(id: string): Found | undefined {
    return this.byId(id) ?? this.byId(`-${id}`) ?? this.byId(CHANNEL_MARK + id);
  }

  byUsername(username: string): Found | undefined {
    return this.#through(this.#byUsername, username.toLowerCase());
  }

  byPhone(phone: string): Found | undefined {
    return this.#through(this.#byPhone, phone);
  }

  byName(name: string): Found | undefined {
    return this.#through(this.#byName, name);
  }

  clear(): void {
    for (const map of [this.#hashes, this.#byUsername, this.#byPhone, this.#byName, this.#known]) map.clear();
  }

  #through(index: Map<string, string>, key: string): Found | undefined {
    const id = index.get(key);
    return id === undefined ? undefined : this.byId(id);
  }

  /** Whether something of it is new. */
  #add(row: Row): boolean {
    const [id = "", hash = "", username, phone, name] = row.map(text);
    const known = JSON.stringify([hash, username?.toLowerCase(), phone, name]);
    if (this.#known.get(id) === known) return false;
    this.#known.set(id, known);
    this.#hashes.set(id, hash);
    if (username) this.#byUsername.set(username.toLowerCase(), id);
    if (phone) this.#byPhone.set(phone, id);
    if (name) this.#byName.set(name, id);
    return true;
  }
}

function peerOf(row: Row): Peer {
  const [id = "", hash = "", username, phone, name] = row.map(text);
  return {
    id: BigInt(id),
    accessHash: BigInt(hash),
    kind: kindOf(id),
    ...(username && { usernames: [username] }),
    ...(phone && { phone }),
    ...(name && { name }),
  };
}

/** Undefined: a channel, of which the row does not tell what kind it is. */
function kindOf(id: string): PeerKind | undefined {
  if (!id.startsWith("-")) return "USER";
  return id.startsWith(CHANNEL_MARK) ? undefined : "GROUP";
}

function text(value: Row[number]): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : value.toString();
}
