import type { Outbox } from "../outbox.js";

/** What the keys of attributes begin with that tell in which message a peer was seen, and whom a message shows. */
export const BY_PEER = "mtcute.ref/p/";
const BY_MESSAGE = "mtcute.ref/m/";

/** Most references that are kept, two attributes each: a session has 20,000. Of more, the earliest are forgotten. */
const MOST = 8000;

/** A peer in a message of a chat. */
interface Reference {
  readonly peer: number;
  readonly chat: number;
  readonly message: number;
}

/** mtcute's `IReferenceMessagesRepository`: messages by which peers can be addressed that are not fully known. */
export class References {
  readonly #outbox: Outbox;
  /** By the attribute's key, the earliest first. */
  readonly #all = new Map<string, Reference>();
  readonly #ofPeers = new Map<number, Set<string>>();
  readonly #ofMessages = new Map<string, Set<string>>();

  /** @param keys those of the attributes that are stored */
  constructor(keys: readonly string[], outbox: Outbox) {
    this.#outbox = outbox;
    for (const key of keys) {
      const [peer, chat, message] = key.slice(BY_PEER.length).split("/").map(Number);
      if (peer !== undefined && chat !== undefined && message !== undefined) this.#add({ peer, chat, message });
    }
  }

  store(peer: number, chat: number, message: number): void {
    const reference = { peer, chat, message };
    if (this.#all.has(byPeer(reference))) return;
    this.#add(reference);
    const value = new Uint8Array();
    this.#outbox.putAttributes({ key: byPeer(reference), value }, { key: byMessage(reference), value });
    const [earliest] = this.#all.keys();
    if (this.#all.size > MOST && earliest !== undefined) this.#delete([earliest]);
  }

  /** The newest one of a peer: the chat and the message. */
  getByPeer(peer: number): [number, number] | null {
    const newest = [...(this.#ofPeers.get(peer) ?? [])].map((key) => this.#all.get(key)).at(-1);
    return newest ? [newest.chat, newest.message] : null;
  }

  delete(chat: number, messages: number[]): void {
    for (const message of messages) this.#delete(this.#ofMessages.get(`${chat}/${message}`) ?? []);
  }

  deleteByPeer(peer: number): void {
    this.#delete(this.#ofPeers.get(peer) ?? []);
  }

  deleteAll(): void {
    this.#delete(this.#all.keys());
  }

  #add(reference: Reference): void {
    const key = byPeer(reference);
    this.#all.set(key, reference);
    setIn(this.#ofPeers, reference.peer).add(key);
    setIn(this.#ofMessages, `${reference.chat}/${reference.message}`).add(key);
  }

  #delete(keys: Iterable<string>): void {
    for (const key of [...keys]) {
      const reference = this.#all.get(key);
      if (!reference) continue;
      this.#all.delete(key);
      takeOut(this.#ofPeers, reference.peer, key);
      takeOut(this.#ofMessages, `${reference.chat}/${reference.message}`, key);
      this.#outbox.putAttributes({ key }, { key: byMessage(reference) });
    }
  }
}

function byPeer({ peer, chat, message }: Reference): string {
  return `${BY_PEER}${peer}/${chat}/${message}`;
}

function byMessage({ peer, chat, message }: Reference): string {
  return `${BY_MESSAGE}${chat}/${message}/${peer}`;
}

function setIn<Key>(sets: Map<Key, Set<string>>, key: Key): Set<string> {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  return set;
}

function takeOut<Key>(sets: Map<Key, Set<string>>, key: Key, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
