import type { UpdateState } from "../../gen/sessiond/v1/session.js";
import type { Outbox } from "../outbox.js";
import { int32, view } from "../bytes.js";

const COUNTERS = { updates_pts: "pts", updates_qts: "qts", updates_date: "date", updates_seq: "seq" } as const;
const CHANNEL = "updates_channel:";

type CounterKey = keyof typeof COUNTERS;

/** The update state as mtcute keeps it: a value under a key for each counter and for each channel. */
export class KeyedState {
  readonly #outbox: Outbox;
  readonly #counters: Record<CounterKey, number>;
  readonly #channels: Map<string, number>;

  constructor(state: UpdateState | undefined, outbox: Outbox) {
    this.#outbox = outbox;
    this.#counters = {
      updates_pts: state?.pts ?? 0,
      updates_qts: state?.qts ?? 0,
      updates_date: Number(state?.date ?? 0n),
      updates_seq: state?.seq ?? 0,
    };
    this.#channels = new Map(state?.channels.map(({ id, pts }) => [`${CHANNEL}${id}`, pts]));
  }

  /** Whether something is kept here under such a key. */
  static has(key: string): boolean {
    return key in COUNTERS || key.startsWith(CHANNEL);
  }

  /** Counters are there together, or there are none, as mtcute wants them. */
  get(key: string): Uint8Array | null {
    if (!isCounter(key)) {
      const pts = this.#channels.get(key);
      return pts === undefined ? null : int32(pts);
    }
    return Object.values(this.#counters).some((counter) => counter !== 0) ? int32(this.#counters[key]) : null;
  }

  /** Zero is no news of a counter: it keeps what is stored. */
  set(key: string, bytes: Uint8Array): void {
    const value = view(bytes).readInt32LE();
    if (value === 0 || value === this.#known(key)) return;
    if (isCounter(key)) {
      this.#counters[key] = value;
      this.#outbox.advance({ [COUNTERS[key]]: key === "updates_date" ? BigInt(value) : value });
    } else {
      this.#channels.set(key, value);
      this.#outbox.advance({ channels: [{ id: channel(key), pts: value }] });
    }
  }

  /** Forgets a channel. Single counters are never forgotten. */
  delete(key: string): void {
    if (this.#channels.delete(key)) this.#outbox.advance({ removedChannels: [channel(key)] });
  }

  /** Knows nothing any more. */
  clear(): void {
    for (const key of Object.keys(COUNTERS)) this.#counters[key as CounterKey] = 0;
    this.#channels.clear();
  }

  #known(key: string): number | undefined {
    return isCounter(key) ? this.#counters[key] : this.#channels.get(key);
  }
}

function isCounter(key: string): key is CounterKey {
  return key in COUNTERS;
}

function channel(key: string): bigint {
  return BigInt(key.slice(CHANNEL.length));
}
