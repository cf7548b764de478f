import type { Peer } from "../peer.js";

/**
 * Most peers that wait while no daemon answers: those whom a busy account meets in hours. Of more, the earliest are
 * forgotten; a library meets them again.
 */
const MOST_QUEUED = 10_000;
/** As many are sent at once: to write them down for the daemon takes 2 ms, in which the event loop stands still. */
const AT_ONCE = 100;

/** Peers on their way to the daemon, each as it was last put. */
export class PeerQueue {
  #queued = new Map<bigint, Peer>();
  #sending = new Map<bigint, Peer>();

  get isEmpty(): boolean {
    return this.#queued.size === 0;
  }

  put(peer: Peer): void {
    // One that was met in passing does not replace what is known in full, as in the daemon.
    const queued = this.#queued.get(peer.id);
    if (peer.min && queued && !queued.min) return;
    this.#queued.delete(peer.id);
    this.#queued.set(peer.id, peer);
    const [earliest] = this.#queued.keys();
    if (this.#queued.size > MOST_QUEUED && earliest !== undefined) this.#queued.delete(earliest);
  }

  /** One that the daemon may not have yet. */
  find(id: bigint): Peer | undefined {
    return this.#queued.get(id) ?? this.#sending.get(id);
  }

  /** The one that was put last, of those that the daemon may not have yet and that this is true of. */
  findLast(isIt: (peer: Peer) => boolean): Peer | undefined {
    return [...this.#sending.values(), ...this.#queued.values()].findLast(isIt);
  }

  /** Those to be sent next: until `sent` or `notSent`. */
  take(): Peer[] {
    const taken: Peer[] = [];
    for (const peer of this.#queued.values()) {
      if (taken.length === AT_ONCE) break;
      taken.push(peer);
    }
    for (const peer of taken) this.#queued.delete(peer.id);
    this.#sending = new Map(taken.map((peer) => [peer.id, peer]));
    return taken;
  }

  /** The daemon has what was taken, or will not have it. */
  sent(): void {
    this.#sending.clear();
  }

  /** What was taken waits again. */
  notSent(): void {
    this.#queued = new Map([...this.#sending, ...this.#queued]);
    this.#sending = new Map();
  }

  clear(): void {
    this.#queued.clear();
    this.#sending.clear();
  }
}
