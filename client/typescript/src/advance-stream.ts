import type { Access } from "./access.js";
import { AdvanceQueue } from "./advance-queue.js";
import { Bell } from "./bell.js";
import type { Exchange } from "./connection.js";
import { encodable } from "./encodable.js";
import { ChangeRefused } from "./error.js";
import { StateChange } from "./gen/sessiond/v1/session.js";
import * as v1 from "./gen/sessiond/v1/session_service.js";
import type { Incoming } from "./incoming.js";
import { isPassing, isStatus, refusal, refusedSequence } from "./refusal.js";
import { Retry } from "./retry.js";
import type { Change } from "./session.js";
import { isLoss } from "./standing.js";
import { changeToWire } from "./wire.js";

/**
 * Most changes that are on their way at once. Room for the batches that the daemon commits while the acknowledgement of
 * an earlier one travels; a few hundred bytes each.
 */
const MOST_UNACKNOWLEDGED = 8192;

/** How far a stream's changes are durable. */
export interface Acknowledged {
  /** Every change up to this one is durable. 0: none yet. */
  readonly sequence: bigint;
  /** The session's revision after it. 0 with sequence 0. */
  readonly revision: bigint;
}

type Requests = Exchange<v1.AdvanceStreamRequest, v1.AdvanceStreamResponse>;

/**
 * Changes of one session that do not wait for each other's answers.
 *
 * They are applied in order, each as a commit of its own. When the connection breaks, those that were not acknowledged
 * are sent again as one change with the same effect, so that no counter is ever seen to go back. The first change that
 * is refused ends the stream: it and those after it are not applied, and every method fails with `ChangeRefused`, which
 * says which it was. The stream also ends with `Lost`, and with `Unavailable` when no daemon answered for as long as
 * the client's deadline.
 *
 * What was not acknowledged when the program lets go of it, or of the hold, may or may not be applied.
 */
export class AdvanceStream {
  readonly #access: Access;
  readonly #queue = new AdvanceQueue();
  readonly #changed = new Bell();
  readonly #retry: Retry;
  /** The order in which pushes take their turn. */
  #turn: Promise<unknown> = Promise.resolve();
  #pushed = 0;
  #acknowledged: Acknowledged = { sequence: 0n, revision: 0n };
  #finished = false;
  #error: unknown;
  #requests: Requests | undefined;
  /** Whether this connection has sent a request: only the first one has to show the token. */
  #shown = false;

  /** @internal */
  constructor(access: Access) {
    this.#access = access;
    this.#retry = new Retry(access.connection, access.connection.deadlineMs, access.standing.over);
    void this.#send();
  }

  /**
   * Adds a change. Waits while too many are unacknowledged.
   *
   * @returns its sequence: 1, 2, 3...
   */
  push(change: Change): Promise<bigint> {
    const turn = this.#turn.then(() => this.#push(change));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** How far the changes are durable, as far as is known now. */
  get acknowledged(): Acknowledged {
    return this.#acknowledged;
  }

  /** Waits until every change up to this sequence is durable. */
  durable(sequence: bigint): Promise<Acknowledged> {
    return this.#reached(() => this.#acknowledged.sequence >= sequence);
  }

  /**
   * Waits until every change is durable. Nothing can be pushed any more.
   *
   * @returns the session's revision after the last change; undefined: there was none
   */
  async finish(): Promise<bigint | undefined> {
    await this.#turn;
    this.#finished = true;
    this.#changed.ring();
    this.#pump();
    const { sequence, revision } = await this.#reached(() => this.#acknowledged.sequence >= this.#pushed);
    return sequence > 0n ? revision : undefined;
  }

  async #push(change: Change): Promise<bigint> {
    if (this.#finished) throw new TypeError("the stream is finished");
    const content = changeToWire(change);
    encodable(() => StateChange.encode(content));
    await this.#reached(() => {
      this.#check();
      return this.#pushed - Number(this.#acknowledged.sequence) < MOST_UNACKNOWLEDGED;
    });
    this.#pushed += 1;
    this.#queue.push(this.#pushed, content);
    this.#changed.ring();
    this.#pump();
    return BigInt(this.#pushed);
  }

  /** Waits until enough is acknowledged, and fails once it never will be. */
  #reached(enough: () => boolean): Promise<Acknowledged> {
    return this.#access.standing.during(async () => {
      while (!enough()) {
        this.#check();
        await this.#changed.rung();
      }
      return this.#acknowledged;
    });
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error as Error;
  }

  /** Sends what is pushed, over as many connections as it takes. */
  async #send(): Promise<void> {
    try {
      while (await this.#filled()) {
        await this.#connect().catch((error: unknown) => this.#broken(error));
      }
    } catch (error) {
      this.#error = await this.#access.standing.afterwards(error);
      this.#changed.ring();
    }
  }

  /** Waits until there is something to send. False: there will never be. */
  async #filled(): Promise<boolean> {
    this.#queue.begin();
    while (this.#queue.isEmpty) {
      if (this.#finished) return false;
      await this.#changed.rung();
      this.#retry.restart();
    }
    return true;
  }

  /** Sends over one connection until it breaks. */
  async #connect(): Promise<void> {
    const { connection, standing } = this.#access;
    standing.check();
    this.#requests = connection.exchange(v1.SessionServiceService.advanceStream, standing.over);
    this.#shown = false;
    this.#pump();
    const { incoming } = this.#requests;
    try {
      await incoming.opened(this.#retry.deadline);
      await this.#acknowledgements(incoming);
    } finally {
      this.#requests = undefined;
      incoming.cancel();
    }
  }

  async #acknowledgements(incoming: Incoming<v1.AdvanceStreamResponse>): Promise<void> {
    while (!(this.#finished && this.#queue.isEmpty)) {
      const { sequence, revision } = await incoming.nextOfEndless();
      this.#retry.heard();
      const durable = BigInt(this.#queue.acknowledge(Number(sequence)));
      if (durable > this.#acknowledged.sequence) this.#acknowledged = { sequence: durable, revision };
      this.#changed.ring();
    }
  }

  async #broken(error: unknown): Promise<void> {
    const sequence = isStatus(error) && !isPassing(error) ? refusedSequence(error) : undefined;
    if (!isStatus(error) || sequence === undefined) return this.#retry.pause(error);
    const refused = await this.#access.standing.afterwards(refusal(error));
    // That has nothing to do with the change.
    if (isLoss(refused)) throw refused;
    throw new ChangeRefused(BigInt(this.#queue.firstOf(sequence)), refused);
  }

  /** Sends what this connection has not sent. */
  #pump(): void {
    const requests = this.#requests;
    if (!requests) return;
    for (let next = this.#queue.next(); next; next = this.#queue.next()) {
      const shown = this.#shown ? { name: "", token: Buffer.alloc(0) } : this.#access.shown;
      this.#shown = true;
      requests.send({ ...shown, change: next.content, sequence: BigInt(next.sequence) });
    }
    if (this.#finished) requests.end();
  }
}
