import type { Lost } from "../error.js";

/**
 * Tells a program that its hold was lost, and disconnects its library: no library asks its storage before it uses a
 * connection that it has. If the program has left neither a callback nor the library's client, the loss is an exception
 * that nobody catches, which ends the process and so the connection.
 */
export class Alarm {
  readonly #onLost: ((lost: Lost) => unknown) | undefined;
  #disconnect: (() => Promise<unknown>) | undefined;

  constructor(onLost: ((lost: Lost) => unknown) | undefined) {
    this.#onLost = onLost;
  }

  /** Says how the library is disconnected. */
  bind(disconnect: () => Promise<unknown>): void {
    this.#disconnect = disconnect;
  }

  ring(lost: Lost): void {
    if (!this.#onLost && !this.#disconnect) throw lost;
    this.#disconnect?.().catch((error: unknown) => {
      process.emitWarning(`${lost.message}, and disconnecting failed: ${String(error)}`, "SessiondWarning");
    });
    this.#onLost?.(lost);
  }
}
