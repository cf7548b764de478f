import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { Fenced, Lost, type LostReason } from "./error.js";

/**
 * How long a call whose token is refused waits for the hold's stream to say why: that is on its way then, unless the
 * stream is being opened again, which takes up to a second.
 */
const TOLD_WITHIN_MS = 1000;

/**
 * How a held session stands: held, let go, or lost. What it became once, it stays.
 *
 * A loss is told to whoever listens. If nobody does, and no call is under way that fails with it, it is a rejection
 * that nobody handles: Node ends the process, as for an `error` event that nobody listens to.
 */
export class Standing {
  /** The session's, where this process holds it. Undefined: it was given the token, and nobody tells it of a loss. */
  readonly #name: string | undefined;
  readonly #onLost: ((lost: Lost) => unknown) | undefined;
  readonly #lossController = new AbortController();
  readonly #overController = new AbortController();
  #state: "held" | "released" | LostReason = "held";
  #listened: boolean;
  #underWay = 0;
  #untold: Lost | Fenced | undefined;

  private constructor(name: string | undefined, onLost?: (lost: Lost) => unknown) {
    // Any number of calls may wait for it.
    setMaxListeners(0, this.#overController.signal);
    this.#name = name;
    this.#onLost = onLost;
    this.#listened = onLost !== undefined;
  }

  /** Of a hold of this process. */
  static own(name: string, onLost: ((lost: Lost) => unknown) | undefined): Standing {
    return new Standing(name, onLost);
  }

  /** Of another process's hold, whose token was given to this one. */
  static given(): Standing {
    return new Standing(undefined);
  }

  /** Aborted when the hold is lost, with the error as its reason. Who asks for it is taken to listen. */
  get signal(): AbortSignal {
    this.#listened = true;
    return this.#lossController.signal;
  }

  /** Aborted when the hold is lost or let go. For this package's own use: nobody listens by asking for it. */
  get over(): AbortSignal {
    return this.#overController.signal;
  }

  get isHeld(): boolean {
    return this.#state === "held";
  }

  /** For people. */
  toString(): string {
    return this.isHeld || this.#state === "released" ? this.#state : `lost: ${this.#state}`;
  }

  /** @throws Lost, or Fenced for a token that was given */
  check(): void {
    const lost = this.#lost();
    if (lost) throw lost;
  }

  /** The program has let go: from now on nothing is lost any more. */
  release(): void {
    if (!this.isHeld) return;
    this.#state = "released";
    this.#overController.abort(new Fenced());
  }

  /** The hold has ended, and the program hears of it. */
  lose(reason: LostReason): void {
    if (!this.isHeld) return;
    this.#state = reason;
    const lost = this.#loss(reason);
    const onLost = this.#onLost;
    if (!this.#listened) this.#untold = lost;
    if (onLost && lost instanceof Lost) queueMicrotask(() => onLost(lost));
    this.#lossController.abort(lost);
    this.#overController.abort(lost);
    this.#insist();
  }

  /** Makes a call that fails as a loss when its token is refused. */
  async during<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    this.check();
    this.#underWay += 1;
    try {
      return await call();
    } catch (error) {
      const thrown = await this.afterwards(error);
      if (isLoss(thrown)) this.#untold = undefined;
      throw thrown;
    } finally {
      this.#underWay -= 1;
      this.#insist();
    }
  }

  /**
   * What was thrown, to be thrown on: when a token is refused, its hold is lost. The reason is the hold's stream's to tell,
   * and is waited for a little.
   */
  async afterwards<Thrown>(thrown: Thrown): Promise<Thrown | Lost | Fenced> {
    if (!isLoss(thrown)) return thrown;
    if (this.#name !== undefined && this.isHeld) {
      await sleep(TOLD_WITHIN_MS, undefined, { signal: this.over }).catch(() => undefined);
    }
    this.lose("FENCED");
    return this.#lost() ?? thrown;
  }

  #lost(): Lost | Fenced | undefined {
    return this.#state === "held" || this.#state === "released" ? undefined : this.#loss(this.#state);
  }

  #loss(reason: LostReason): Lost | Fenced {
    return this.#name === undefined ? new Fenced() : new Lost(this.#name, reason);
  }

  #insist(): void {
    if (!this.#untold || this.#underWay > 0) return;
    void Promise.reject(this.#untold);
    this.#untold = undefined;
  }
}

/** Whether it says that the session is not held any more. */
export function isLoss(thrown: unknown): thrown is Lost | Fenced {
  return thrown instanceof Lost || thrown instanceof Fenced;
}
