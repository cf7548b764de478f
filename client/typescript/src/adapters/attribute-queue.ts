import type { Attribute } from "../attributes.js";
import { AT_ONCE } from "../kept.js";

/** Bytes that are sent in one commit: the daemon takes 1 MiB, of which the keys need some. */
const BYTES_AT_ONCE = 512 << 10;

/** Attributes on their way to the daemon: to be set, or, where there is none, to be deleted. */
export type AttributeBatch = Map<string, Attribute | undefined>;

/** Attributes in their order, each as it was last set. What is queued together goes in one commit. */
export class AttributeQueue {
  #queued: AttributeBatch[] = [];

  get isEmpty(): boolean {
    return this.#queued.length === 0;
  }

  push(...attributes: readonly (Attribute | { readonly key: string; readonly value?: undefined })[]): void {
    const batch: AttributeBatch = this.#queued.at(-1) ?? new Map<string, Attribute | undefined>();
    const isFull = batch.size + attributes.length > AT_ONCE || bytes(batch) > BYTES_AT_ONCE;
    const last: AttributeBatch = isFull ? new Map<string, Attribute | undefined>() : batch;
    if (this.#queued.at(-1) !== last) this.#queued.push(last);
    for (const attribute of attributes) {
      last.set(attribute.key, attribute.value === undefined ? undefined : attribute);
    }
  }

  shift(): AttributeBatch | undefined {
    return this.#queued.shift();
  }

  /** Puts back what was not sent. */
  unshift(batch: AttributeBatch): void {
    this.#queued.unshift(batch);
  }
}

function bytes(batch: AttributeBatch): number {
  let sum = 0;
  for (const attribute of batch.values()) sum += attribute?.value.length ?? 0;
  return sum;
}
