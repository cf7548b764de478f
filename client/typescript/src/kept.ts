/** What writing peers or attributes came to. No session's revision moves, and no watcher is told. */
export interface Kept {
  /** The store's revision after it. 0: there was nothing to send. */
  readonly revision: bigint;
  /** How many of them changed. */
  readonly changed: number;
}

/** Most of anything that the daemon takes, or gives, in one message. */
export const AT_ONCE = 1000;

/** Writes part after part; what those before a failed one have written stays. */
export async function inParts<Part>(parts: Iterable<Part>, write: (part: Part) => Promise<Kept>): Promise<Kept> {
  let all: Kept = { revision: 0n, changed: 0 };
  for (const part of parts) {
    const { revision, changed } = await write(part);
    all = { revision, changed: all.changed + changed };
  }
  return all;
}

/** Items in parts that the daemon takes. */
export function* parts<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let start = 0; start < items.length; start += AT_ONCE) yield items.slice(start, start + AT_ONCE);
}
