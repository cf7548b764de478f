import { setTimeout as sleep } from "node:timers/promises";

import { joined } from "../advance-queue.js";
import type { Attribute } from "../attributes.js";
import { Closed, Lost, SessiondError, StorageFailed, StorageFull, Unavailable } from "../error.js";
import type { Hold } from "../hold.js";
import type { Peer } from "../peer.js";
import type { Change } from "../session.js";
import { changeToWire } from "../wire.js";
import { AttributeQueue } from "./attribute-queue.js";
import { PeerQueue } from "./peer-queue.js";
import { type Save, Saves } from "./saves.js";

/** How long a full or failing disk of the daemon is left alone. */
const REST_MS = 1000;

/**
 * What a library has written, on its way to the daemon. It is queued until `wake` or `flush`, and then sent, one write
 * after the other. What comes while a write is under way is joined: the counters to one change, the peers to one batch.
 * A daemon that is away holds nothing up: what is written waits here.
 *
 * What the daemon refuses for good is a warning of the process, and told by the next `flush`. What comes after the hold
 * was lost is dropped.
 */
export class Outbox {
  readonly #hold: Hold;
  readonly #saves = new Saves();
  readonly #attributes = new AttributeQueue();
  /** Peers, which are found here before the daemon has them. */
  readonly peers = new PeerQueue();
  #change: Change | undefined;
  #forgetPeers = false;
  #writing: Promise<void> | undefined;
  #refusal: SessiondError | undefined;
  #closed = false;

  constructor(hold: Hold) {
    this.#hold = hold;
  }

  /** Adds to the session, after forgetting what `clear` names. */
  merge(save: Save): void {
    if (save.clear?.state === true) this.#change = undefined;
    this.#saves.push(save);
  }

  /** Sets counters. */
  advance(change: Change): void {
    this.#change = this.#change ? joined([changeToWire(this.#change), changeToWire(change)]) : change;
  }

  /** Adds a peer. */
  putPeer(peer: Peer): void {
    this.peers.put(peer);
  }

  /** Deletes all peers, as when another account logs in. */
  forgetPeers(): void {
    this.peers.clear();
    this.#forgetPeers = true;
  }

  /** Sets attributes, and deletes those without a value, in one commit. */
  putAttributes(...attributes: readonly (Attribute | { readonly key: string; readonly value?: undefined })[]): void {
    this.#attributes.push(...attributes);
  }

  /** Sends what is queued. */
  wake(): void {
    this.#writing ??= this.#write();
  }

  /**
   * Sends what is queued and waits until the daemon has it, for so many milliseconds at most.
   *
   * @returns whether it has; what waits goes on waiting
   */
  async settle(patienceMs: number): Promise<boolean> {
    this.wake();
    if (this.#writing) await within(this.#writing, patienceMs);
    return this.#writing === undefined;
  }

  /**
   * Does the same.
   *
   * @throws what the daemon has refused for good since the last time
   */
  async flush(patienceMs: number): Promise<boolean> {
    const settled = await this.settle(patienceMs);
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal) throw refusal;
    return settled;
  }

  /** What is not written will not be. */
  close(): void {
    this.#closed = true;
  }

  async #write(): Promise<void> {
    // What a library writes in one go is one write.
    await Promise.resolve();
    try {
      for (let write = this.#next(); write; write = this.#next()) {
        await write().catch((error: unknown) => this.#failed(error));
      }
    } finally {
      this.#writing = undefined;
    }
  }

  /** What is to be written next. A session comes before what is said about it. */
  #next(): (() => Promise<void>) | undefined {
    if (this.#closed) return undefined;
    if (!this.#saves.isEmpty) return () => this.#writeSession();
    if (this.#change) return () => this.#writeChange();
    if (this.#forgetPeers || !this.peers.isEmpty) return () => this.#writePeers();
    return this.#attributes.isEmpty ? undefined : () => this.#writeAttributes();
  }

  async #failed(error: unknown): Promise<void> {
    // The program hears of a lost hold by the hold itself.
    if (error instanceof Lost || error instanceof Closed) this.#closed = true;
    else if (error instanceof SessiondError && !isPassing(error)) {
      this.#refusal = error;
      process.emitWarning(`a write to the session ${this.#hold.name} was refused: ${error.message}`, "SessiondWarning");
    } else {
      const why = error instanceof Error ? error.message : String(error);
      process.emitWarning(`${why}; what is written to the session ${this.#hold.name} waits`, "SessiondWarning");
      await sleep(REST_MS);
    }
  }

  async #writeSession(): Promise<void> {
    const save = this.#saves.shift();
    if (!save) return;
    await this.#hold.merge(save.session, { clear: save.clear }).catch(
      back(() => {
        this.#saves.unshift(save);
      }),
    );
  }

  async #writeChange(): Promise<void> {
    const change = this.#change ?? {};
    this.#change = undefined;
    await this.#hold.advance(change).catch(
      back(() => {
        const newer = this.#change;
        this.#change = change;
        if (newer) this.advance(newer);
      }),
    );
  }

  async #writePeers(): Promise<void> {
    if (this.#forgetPeers) {
      await this.#hold.peers.deleteAll();
      this.#forgetPeers = false;
    }
    await this.#hold.peers.put(this.peers.take()).catch(back(() => this.peers.notSent()));
    this.peers.sent();
  }

  async #writeAttributes(): Promise<void> {
    const batch = this.#attributes.shift();
    if (!batch) return;
    const put = [...batch.values()].filter((attribute) => attribute !== undefined);
    const deleteKeys = [...batch].filter(([, attribute]) => !attribute).map(([key]) => key);
    await this.#hold.attributes.put(put, { deleteKeys }).catch(back(() => this.#attributes.unshift(batch)));
  }
}

/** Whether a write that fails so is tried again. */
function isPassing(error: unknown): boolean {
  return error instanceof Unavailable || error instanceof StorageFailed || error instanceof StorageFull;
}

/** Puts back what is tried again, and throws what was thrown. */
function back(putBack: () => void): (thrown: unknown) => never {
  return (thrown) => {
    if (isPassing(thrown)) putBack();
    throw thrown;
  };
}

/** Waits for something that never fails, but not for long. */
async function within(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
