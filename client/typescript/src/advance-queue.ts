import type { StateChange } from "./gen/sessiond/v1/session.js";

/**
 * Most channels that what is sent again has in one message, which is at most 18 bytes for each: as many as a session
 * has, and within the daemon's limit for a message.
 */
const MOST_JOINED = 100_000;

/** A change, or several as one, or a part of that. */
interface Queued {
  /** Sequence of the last one that is durable with it. */
  readonly last: number;
  readonly content: StateChange;
}

/** The changes of a stream that are not acknowledged. Every connection numbers those that it sends from 1. */
export class AdvanceQueue {
  /** Oldest first. */
  #changes: Queued[] = [];
  /** How many of them this connection has sent. */
  #sent = 0;
  /** How many more it has sent, that are acknowledged since. */
  #settled = 0;
  #acknowledged = 0;

  get isEmpty(): boolean {
    return this.#changes.length === 0;
  }

  push(last: number, content: StateChange): void {
    this.#changes.push({ last, content });
  }

  /**
   * Begins a connection. What the last one sent and was not acknowledged becomes one change, or as many as it takes.
   */
  begin(): void {
    const sent = this.#changes.splice(0, this.#sent);
    this.#sent = 0;
    this.#settled = 0;
    const last = sent.at(-1)?.last;
    if (last === undefined) return;
    const again = parts(joined(sent.map(({ content }) => content)));
    // With a part of them none is durable, only with the last one.
    const whole = again.length - 1;
    const queued = again.map((content, at) => ({ last: at === whole ? last : this.#acknowledged, content }));
    this.#changes.unshift(...queued);
  }

  /** The next one to be sent, with its sequence on this connection. */
  next(): { sequence: number; content: StateChange } | undefined {
    const change = this.#changes[this.#sent];
    if (!change) return undefined;
    this.#sent += 1;
    return { sequence: this.#settled + this.#sent, content: change.content };
  }

  /** Takes an acknowledgement of this connection, and gives the sequence up to which all is durable. */
  acknowledge(sequence: number): number {
    const fresh = Math.max(0, Math.min(sequence - this.#settled, this.#sent));
    this.#acknowledged = this.#changes.splice(0, fresh).at(-1)?.last ?? this.#acknowledged;
    this.#sent -= fresh;
    this.#settled += fresh;
    return this.#acknowledged;
  }

  /** The sequence of the change that this connection sent under `sequence`; of several as one, of the first of them. */
  firstOf(sequence: number): number {
    const before = sequence - this.#settled - 2;
    return (this.#changes[before]?.last ?? this.#acknowledged) + 1;
  }
}

/** Changes, the earliest first, as one with the same effect. */
export function joined(changes: readonly StateChange[]): StateChange {
  const one: StateChange = { channels: [], removedChannels: [] };
  /** What becomes of each channel: its pts, or nothing. */
  const channels = new Map<bigint, number | undefined>();
  for (const change of changes) {
    one.pts = change.pts ?? one.pts;
    one.qts = change.qts ?? one.qts;
    one.date = change.date ?? one.date;
    one.seq = change.seq ?? one.seq;
    for (const { id, pts } of change.channels) channels.set(id, pts);
    for (const id of change.removedChannels) channels.set(id, undefined);
  }
  for (const [id, pts] of channels) {
    if (pts === undefined) one.removedChannels.push(id);
    else one.channels.push({ id, pts });
  }
  return one;
}

/**
 * A change as several that no message is too small for. Each channel has its last value at once, so that none is seen
 * to go back. What is forgotten comes first, so that there are never more channels than before or after; the counters
 * come last.
 */
function parts(change: StateChange): StateChange[] {
  const { channels, removedChannels, ...counters } = change;
  if (channels.length + removedChannels.length <= MOST_JOINED) return [change];
  const several: StateChange[] = [
    ...chunks(removedChannels).map((some) => ({ channels: [], removedChannels: some })),
    ...chunks(channels).map((some) => ({ channels: some, removedChannels: [] })),
  ];
  Object.assign(several.at(-1) ?? {}, counters);
  return several;
}

function chunks<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / MOST_JOINED);
  return Array.from({ length: count }, (_, at) => items.slice(at * MOST_JOINED, (at + 1) * MOST_JOINED));
}
