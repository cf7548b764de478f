/** Wakes whoever waits for something to change. What they wait for, they look at themselves. */
export class Bell {
  #waiting: (() => void)[] = [];

  /** Wakes all who wait now. */
  ring(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Waits for the next ring. */
  rung(): Promise<void> {
    return new Promise((wake) => this.#waiting.push(wake));
  }
}
