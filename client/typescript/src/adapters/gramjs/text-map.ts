/** So many maps, each of which stays small: a power of two. */
const PARTS = 64;

/** A map by texts. It grows bit by bit, where one large `Map` would stand still for milliseconds whenever it doubles. */
export class TextMap<Value> {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<string, Value>());

  get(key: string): Value | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  set(key: string, value: Value): void {
    this.#parts[partOf(key)]?.set(key, value);
  }

  clear(): void {
    for (const part of this.#parts) part.clear();
  }
}

function partOf(key: string): number {
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) | 0;
  return hash & (PARTS - 1);
}
