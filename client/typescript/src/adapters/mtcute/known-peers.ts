import type { IPeersRepository } from "@mtcute/core";

import type { Peers } from "../../peers.js";
import type { Peer, PeerKey, PeerKind } from "../../peer.js";
import type { Outbox } from "../outbox.js";

/** What Telegram has said of a peer, as mtcute keeps it. */
const COMPLETE = "mtcute.complete";
/** The most that a peer may have of it. */
const MOST_COMPLETE = 63 << 10;

/** Marked ids from here down are those of channels. */
const LAST_GROUP = -1_000_000_000_000;

type PeerInfo = IPeersRepository.PeerInfo;

/** mtcute's `IPeersRepository`. */
export class KnownPeers {
  readonly #peers: Peers;
  readonly #outbox: Outbox;

  constructor(peers: Peers, outbox: Outbox) {
    this.#peers = peers;
    this.#outbox = outbox;
  }

  store(peer: PeerInfo): void {
    this.#outbox.putPeer(fromInfo(peer));
  }

  async getById(id: number): Promise<PeerInfo | null> {
    const queued = this.#outbox.peers.find(BigInt(id));
    if (queued && !queued.min) return toInfo(queued);
    const [stored] = await this.#peers.get([{ id: BigInt(id) }]);
    return toInfo(stored?.min === true ? (queued ?? stored) : (stored ?? queued));
  }

  getByUsername(username: string): Promise<PeerInfo | null> {
    return this.#find({ username }, ({ usernames }) => usernames?.includes(username) ?? false);
  }

  getByPhone(phone: string): Promise<PeerInfo | null> {
    return this.#find({ phone }, (peer) => peer.phone === phone);
  }

  deleteAll(): void {
    this.#outbox.forgetPeers();
  }

  /** Looks for one that is fully known, first among those that the daemon may not have yet. */
  async #find(key: PeerKey, isIt: (peer: Peer) => boolean): Promise<PeerInfo | null> {
    const queued = this.#outbox.peers.findLast((peer) => !peer.min && isIt(peer));
    if (queued) return toInfo(queued);
    const [stored] = await this.#peers.get([key]);
    const newer = stored && this.#outbox.peers.find(stored.id);
    return newer && !newer.min ? null : toInfo(stored);
  }
}

function fromInfo({ id, accessHash, isMin, usernames, updated, phone, complete }: PeerInfo): Peer {
  const kind: PeerKind | undefined = id > 0 ? "USER" : id > LAST_GROUP ? "GROUP" : undefined;
  return {
    id: BigInt(id),
    kind,
    accessHash: accessHash === "" ? undefined : hashFromHalves(accessHash),
    min: isMin,
    usernames,
    phone,
    seen: BigInt(Math.trunc(updated / 1000)),
    extra: complete.length > MOST_COMPLETE ? {} : { [COMPLETE]: complete },
  };
}

/** Null: not known, or, as mtcute needs it, without an access hash. */
function toInfo(peer: Peer | undefined): PeerInfo | null {
  if (!peer) return null;
  const { id, accessHash, min = false, usernames = [], phone, seen = 0n, extra = {} } = peer;
  const isGroup = id < 0n && id > LAST_GROUP;
  if (accessHash === undefined && !isGroup) return null;
  return {
    id: Number(id),
    accessHash: accessHash === undefined || isGroup ? "" : halvesOfHash(accessHash),
    isMin: min,
    usernames: usernames.map((name) => name.toLowerCase()),
    updated: Number(seen) * 1000,
    ...(phone && { phone }),
    complete: extra[COMPLETE] ?? new Uint8Array(),
  };
}

/** mtcute has an access hash as its lower and its upper half, both with a sign: `-2112454933|-287445237`. */
function hashFromHalves(text: string): bigint {
  const [low = 0n, high = 0n] = text.split("|").map(BigInt);
  return (high << 32n) | BigInt.asUintN(32, low);
}

function halvesOfHash(hash: bigint): string {
  return `${BigInt.asIntN(32, hash)}|${BigInt.asIntN(32, hash >> 32n)}`;
}
