import type { Access } from "./access.js";
import type { CallOptions } from "./connection.js";
import { encodable } from "./encodable.js";
import { Unavailable } from "./error.js";
import * as v1 from "./gen/sessiond/v1/peer_service.js";
import { AT_ONCE, inParts, type Kept, parts } from "./kept.js";
import { keyToWire, kindToWire, type Peer, peerFromWire, type PeerKey, type PeerKind, peerToWire } from "./peer.js";
import { isPassing, isStatus, noAnswer, refusal } from "./refusal.js";
import { Retry } from "./retry.js";

/** Bytes of peers that are sent in one message: the daemon takes 1 MiB, of which the name and the token need some. */
const BYTES_AT_ONCE = (1 << 20) - (4 << 10);
/** What a peer needs in a message beside its own bytes: its tag and its length. */
const BYTES_AROUND = 8;

const { PeerServiceService: service } = v1;

/** Which peers to list. All, unless something is set. */
export interface PeerFilter extends CallOptions {
  /** Only these kinds. `undefined` among them stands for those whose kind is not known. Empty: all. */
  readonly kinds?: readonly (PeerKind | undefined)[] | undefined;
  /** Only those with a higher marked id. */
  readonly afterId?: bigint | undefined;
  /** Only those that were seen after this, in Unix seconds. */
  readonly seenAfter?: bigint | undefined;
}

/**
 * The peers of a held session. They are kept beside it: writing them moves no revision of it, and no watcher is told.
 * Every method fails as those of `HeldSession` do.
 */
export class Peers {
  readonly #access: Access;

  /** @internal */
  constructor(access: Access) {
    this.#access = access;
  }

  /**
   * Adds what is known of peers to what is stored, in as many calls as it takes, one after the other. To put them again
   * changes nothing. Each call is a sync of the disk: put together what there is.
   */
  async put(peers: readonly Peer[], options?: CallOptions): Promise<Kept> {
    return inParts(messages(peers), (some) => this.#access.call(service.putPeers, { peers: some }, options));
  }

  /** Looks peers up: an answer for each key, in their order. `undefined`: none is known by it. */
  async get(keys: readonly PeerKey[], options?: CallOptions): Promise<(Peer | undefined)[]> {
    const found: (Peer | undefined)[] = [];
    for (const some of parts(keys)) {
      const { results } = await this.#access.call(service.getPeers, { keys: some.map(keyToWire) }, options);
      found.push(...results.map(({ peer }) => peer && peerFromWire(peer)));
    }
    return found;
  }

  /**
   * The peers that a filter lets through, by ascending id and as they are when the listing is first read.
   *
   * A listing that breaks off ends with `Unavailable`; `afterId` goes on from where it was.
   */
  async *list(filter: PeerFilter = {}): AsyncGenerator<Peer, void, undefined> {
    const { connection, shown, standing } = this.#access;
    const { kinds = [], afterId, seenAfter, signal, deadlineMs = connection.deadlineMs } = filter;
    const request = { ...shown, kinds: kinds.map(kindToWire), afterId, seenAfter };
    const retry = new Retry(connection, deadlineMs, signal);
    const listing = await standing.during(() =>
      retry.until(async () => {
        const opened = connection.stream(service.listPeers, request, signal);
        await opened.opened(retry.deadline);
        return opened;
      }),
    );
    try {
      for (;;) {
        const message = await standing.during(() => listing.next().catch(brokenOff(connection.socket, signal)));
        if (!message) return;
        for (const peer of message.peers) yield peerFromWire(peer);
      }
    } finally {
      listing.cancel();
    }
  }

  /** Forgets peers, by their marked ids. Those that are not known do not matter. */
  async delete(ids: readonly bigint[], options?: CallOptions): Promise<Kept> {
    return inParts(parts(ids), (some) => this.#delete({ ids: some, all: false }, options));
  }

  /** Forgets all peers, as when another account logs in. */
  async deleteAll(options?: CallOptions): Promise<Kept> {
    return this.#delete({ ids: [], all: true }, options);
  }

  async #delete(which: { ids: bigint[]; all: boolean }, options: CallOptions | undefined): Promise<Kept> {
    const { revision, deleted } = await this.#access.call(service.deletePeers, which, options);
    return { revision, changed: deleted };
  }
}

/** Peers in as few messages as the daemon takes them in. */
function* messages(peers: readonly Peer[]): Generator<v1.Peer[]> {
  let message: v1.Peer[] = [];
  let room = BYTES_AT_ONCE;
  for (const peer of peers.map(peerToWire)) {
    const bytes = encodable(() => v1.Peer.encode(peer).finish()).length + BYTES_AROUND;
    if (message.length > 0 && (message.length === AT_ONCE || bytes > room)) {
      yield message;
      message = [];
      room = BYTES_AT_ONCE;
    }
    message.push(peer);
    room -= bytes;
  }
  if (message.length > 0) yield message;
}

function brokenOff(socket: string, signal: AbortSignal | undefined): (thrown: unknown) => never {
  return (thrown) => {
    signal?.throwIfAborted();
    if (!isStatus(thrown)) throw thrown;
    throw isPassing(thrown) ? new Unavailable(socket, noAnswer(thrown)) : refusal(thrown);
  };
}
