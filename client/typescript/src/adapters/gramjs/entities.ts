import type { Peer, PeerKind } from "../../peer.js";
import { TextMap } from "./text-map.js";

/** A text, or a number of whatever kind. */
type Value = { toString(): string } | null | undefined;

/** What GramJS makes of a peer: marked id, access hash, username, phone and name. */
export type Row = readonly [id: Value, hash: Value, username: Value, phone: Value, name: Value];

/** Id and access hash, as GramJS looks them up. */
export type Found = [id: string, hash: string];

/** Channels' marked ids begin so. */
const CHANNEL_MARK = "-100";

/** What is known of a peer, as text. */
interface Known {
  readonly hash: string;
  readonly username: string | undefined;
  readonly phone: string | undefined;
  readonly name: string | undefined;
}

/**
 * The peers of a session, to be found at once: GramJS asks without waiting. Of each as little is kept as will do: there may
 * be 100,000, and what is young and lives on is what stops Node for its garbage collector.
 */
export class Entities {
  readonly #known = new TextMap<Known>();
  readonly #byUsername = new TextMap<string>();
  readonly #byPhone = new TextMap<string>();
  readonly #byName = new TextMap<string>();

  /** A peer that is stored. */
  load({ id, accessHash, usernames = [], phone, name }: Peer): void {
    if (accessHash !== undefined) this.#add([id, accessHash, usernames[0], phone, name]);
  }

  /** Takes in a peer. Undefined: it is known already. */
  met(row: Row): Peer | undefined {
    return this.#add(row) ? peerOf(row) : undefined;
  }

  byId(id: string): Found | undefined {
    const known = this.#known.get(id);
    return known && [id, known.hash];
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
    for (const map of [this.#known, this.#byUsername, this.#byPhone, this.#byName]) map.clear();
  }

  #through(index: TextMap<string>, key: string): Found | undefined {
    const id = index.get(key);
    return id === undefined ? undefined : this.byId(id);
  }

  /** Whether something of it is new. */
  #add(row: Row): boolean {
    const [id = "", hash = "", given, phone, name] = row.map(text);
    const username = given?.toLowerCase();
    const known = this.#known.get(id);
    if (known?.hash === hash && known.username === username && known.phone === phone && known.name === name)
      return false;
    this.#known.set(id, { hash, username, phone, name });
    if (username) this.#byUsername.set(username, id);
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
