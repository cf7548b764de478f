import { inspect } from "node:util";

import * as v1 from "./gen/sessiond/v1/peer_service.js";

/** What a peer is. */
export type PeerKind = Exclude<keyof typeof v1.PeerKind, "UNSPECIFIED" | "UNRECOGNIZED">;

/**
 * A user, group or channel that the session's account met, and what it takes to address it.
 *
 * What is absent is not known; put over what is stored, it keeps it. Peers that are read show their id and kind alone
 * when they are printed or serialized: access hashes are secret, and names and phone numbers are nobody else's
 * business.
 */
export interface Peer {
  /** Marked id, not 0: a user's as it is, a basic group's negative, a channel's as -(10^12 + id). */
  readonly id: bigint;
  /** What proves to Telegram that the account met the peer. 0 is a value: basic groups need none. */
  readonly accessHash?: bigint | undefined;
  /** What it is. */
  readonly kind?: PeerKind | undefined;
  /** Whether it is a bot. */
  readonly bot?: boolean | undefined;
  /** Whether it is the account itself. At most one of a session's peers is. */
  readonly isSelf?: boolean | undefined;
  /** Whether it was met only as a part of something else (https://core.telegram.org/api/min). */
  readonly min?: boolean | undefined;
  /** Its usernames without `@`, the primary one first. Put and empty: forgets them. */
  readonly usernames?: readonly string[] | undefined;
  /** Its phone number, digits alone. Put and empty: forgets it. */
  readonly phone?: string | undefined;
  /** The name that people see. Put and empty: forgets it. */
  readonly name?: string | undefined;
  /** When it was last seen, in Unix seconds. Absent: now. */
  readonly seen?: bigint | undefined;
  /**
   * What single libraries keep of it, by a key that begins with the library's name and a dot. Merged by key; an empty
   * value deletes one.
   */
  readonly extra?: Readonly<Record<string, Uint8Array>> | undefined;
}

/** What a peer is looked up by. Of several that have it, the one that was seen last is meant. */
export type PeerKey =
  | { readonly id: bigint }
  /** Without `@`, in any case. Not found by it is who is known only as `min`. */
  | { readonly username: string }
  /** Digits alone. Not found by it is who is known only as `min`. */
  | { readonly phone: string }
  /** The name that people see, exactly. */
  | { readonly peerName: string };

/** A peer that was read. It is plain data, but for how it is shown. */
class StoredPeer implements Peer {
  declare readonly id: bigint;
  declare readonly kind?: PeerKind;

  constructor(peer: Peer) {
    Object.assign(this, peer);
  }

  toJSON(): unknown {
    return { id: this.id.toString(), kind: this.kind };
  }

  [inspect.custom](): string {
    return `Peer(${this.id}, ${this.kind ?? "kind not known"})`;
  }
}

export function peerToWire(peer: Peer): v1.Peer {
  const { usernames, kind, extra = {}, ...rest } = peer;
  return {
    ...rest,
    hasAccessHash: false,
    kind: kindToWire(kind),
    usernames: usernames && { names: [...usernames] },
    extra: Object.fromEntries(Object.entries(extra).map(([key, value]) => [key, Buffer.from(value)])),
  };
}

export function peerFromWire({ hasAccessHash: _, kind, usernames, ...rest }: v1.Peer): Peer {
  const known = kindFromWire(kind);
  return new StoredPeer({ ...rest, ...(known && { kind: known }), ...(usernames && { usernames: usernames.names }) });
}

/** @param kind undefined: not known */
export function kindToWire(kind: PeerKind | undefined): v1.PeerKind {
  return v1.PeerKind[kind ?? "UNSPECIFIED"];
}

/** One that this version does not know is a peer of which it is not known. */
function kindFromWire(kind: v1.PeerKind): PeerKind | undefined {
  if (kind === v1.PeerKind.UNSPECIFIED || kind === v1.PeerKind.UNRECOGNIZED) return undefined;
  return kind.slice("PEER_KIND_".length) as PeerKind;
}

export function keyToWire(key: PeerKey): v1.PeerKey {
  if ("id" in key) return { key: { $case: "id", value: key.id } };
  if ("username" in key) return { key: { $case: "username", value: key.username } };
  if ("phone" in key) return { key: { $case: "phone", value: key.phone } };
  return { key: { $case: "peerName", value: key.peerName } };
}
