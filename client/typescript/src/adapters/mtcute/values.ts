import type { Outbox } from "../outbox.js";

/** Attributes that are read often and are few: all of them are known here. */
export class Values {
  readonly #outbox: Outbox;
  readonly #values: Map<string, Uint8Array>;
  readonly #secret: boolean;

  /** @param values what is stored, by the attributes' keys */
  constructor(values: Map<string, Uint8Array>, outbox: Outbox, { secret }: { secret: boolean }) {
    this.#values = values;
    this.#outbox = outbox;
    this.#secret = secret;
  }

  get(key: string): Uint8Array | null {
    return this.#values.get(key) ?? null;
  }

  /** @param value null: there is none any more */
  set(key: string, value: Uint8Array | null): void {
    if (value) {
      // The library may go on writing to its own buffer.
      const copy = Uint8Array.from(value);
      this.#values.set(key, copy);
      this.#outbox.putAttributes({ key, value: copy, secret: this.#secret });
    } else if (this.#values.delete(key)) {
      this.#outbox.putAttributes({ key });
    }
  }

  deleteBelow(prefix: string): void {
    for (const key of [...this.#values.keys()]) if (key.startsWith(prefix)) this.set(key, null);
  }
}
