import type { ServiceError } from "@grpc/grpc-js";
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import type { Connection } from "./connection.js";
import { Closed, type SessiondError, Unavailable } from "./error.js";
import { errorInfo, isLate, isPassing, isStatus, noAnswer, refusal } from "./refusal.js";

const FIRST_DELAY_MS = 20;
/** Attempts are at most this far apart, so that a daemon that is back is noticed at once. */
const LONGEST_DELAY_MS = 1000;

/**
 * One call over all its attempts: while no daemon answers, it is tried again, at most a second apart, until a deadline.
 */
export class Retry {
  readonly #connection: Connection;
  readonly #patienceMs: number;
  readonly #signal: AbortSignal | undefined;
  #deadline: number;
  #delayMs = FIRST_DELAY_MS;
  #heard = false;
  #attempts = 0;
  #last: ServiceError | undefined;

  /**
   * @param patienceMs after how many milliseconds it gives up; `Infinity`: never
   * @param signal ends it, with the signal's reason
   */
  constructor(connection: Connection, patienceMs: number, signal?: AbortSignal) {
    this.#connection = connection;
    this.#patienceMs = patienceMs;
    this.#signal = signal;
    // Any number of calls may share a signal, and Node would take more than ten for a leak.
    if (signal) setMaxListeners(0, signal);
    this.#deadline = performance.now() + patienceMs;
  }

  /** When it gives up, in milliseconds since the epoch, as gRPC's deadlines are. */
  get deadline(): number {
    return Date.now() + (this.#deadline - performance.now());
  }

  /** How many attempts were begun. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Makes attempts until one is answered. */
  async until<Answer>(attempt: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      this.#attempts += 1;
      try {
        return await attempt();
      } catch (error) {
        await this.pause(error);
      }
    }
  }

  /**
   * Waits before the next attempt.
   *
   * @throws what was thrown, as an error of this package, if it is not one that passes; `Unavailable` or
   * `StorageFailed` where the deadline comes first
   */
  async pause(thrown: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#connection.closed) throw new Closed();
    if (!isStatus(thrown)) throw thrown;
    if (isLate(thrown)) throw this.#givenUp();
    if (!isPassing(thrown)) throw refusal(thrown);
    if (this.#heard) this.restart();
    this.#last = thrown;
    const delay = this.#delayMs * (0.5 + Math.random() / 2);
    if (performance.now() + delay >= this.#deadline) throw this.#givenUp();
    this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
    await sleep(delay, undefined, this.#signal && { signal: this.#signal }).catch(() => this.#signal?.throwIfAborted());
  }

  /** A daemon was heard on a stream: when that breaks, it is the beginning of another outage. */
  heard(): void {
    this.#heard = true;
  }

  /** Begins a new outage, with all of its patience. */
  restart(): void {
    this.#heard = false;
    this.#delayMs = FIRST_DELAY_MS;
    this.#deadline = performance.now() + this.#patienceMs;
  }

  #givenUp(): SessiondError {
    const last = this.#last;
    if (last && errorInfo(last)?.reason === "STORAGE_FAILED") return refusal(last);
    return new Unavailable(this.#connection.socket, last ? noAnswer(last) : "no answer in time");
  }
}
