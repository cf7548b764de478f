/** How mtcute writes down what a session has fields for: its home data center and its user. */

import type { Endpoint } from "../data-centers.js";
import { int32, int64, view } from "../bytes.js";

/** A data center under `dc_main` (mtcute's `BasicDcOption`). */
export interface DcOption {
  readonly id: number;
  readonly endpoint: Endpoint;
  readonly test: boolean;
}

/** The user under `current_user` (mtcute's `CurrentUserInfo`). */
export interface CurrentUser {
  readonly id: bigint;
  readonly bot: boolean;
  readonly premium: boolean;
  /** The primary one first. */
  readonly usernames: readonly string[];
}

const DC_VERSION = 2;
const DC_IPV6 = 1;
const DC_TEST = 4;

const USER_VERSION = 1;
const USER_BOT = 1;
const USER_NAMES = 2;
const USER_PREMIUM = 4;

/** First byte of a text whose length has three bytes; those that are shorter have one. */
const LONG = 254;

export function dcOptionToBytes({ id, endpoint: { address, port }, test }: DcOption): Uint8Array {
  const flags = (address.includes(":") ? DC_IPV6 : 0) | (test ? DC_TEST : 0);
  return Buffer.concat([Buffer.of(DC_VERSION, id, flags), text(address), int32(port)]);
}

/** Undefined: one of a version that is not known here. */
export function dcOptionFromBytes(bytes: Uint8Array): DcOption | undefined {
  const reader = new Reader(bytes);
  const [version, id, flags] = [reader.byte(), reader.byte(), reader.byte()];
  if (version !== DC_VERSION) return undefined;
  return { id, endpoint: { address: reader.text(), port: reader.int32() }, test: (flags & DC_TEST) !== 0 };
}

export function currentUserToBytes({ id, bot, premium, usernames }: CurrentUser): Uint8Array {
  const flags = (bot ? USER_BOT : 0) | (usernames.length > 0 ? USER_NAMES : 0) | (premium ? USER_PREMIUM : 0);
  const names = usernames.length > 0 ? [int32(usernames.length), ...usernames.map(text)] : [];
  return Buffer.concat([int32(USER_VERSION), int32(flags), int64(id), ...names]);
}

/** Undefined: nobody is logged in, or it is one of a version that is not known here. */
export function currentUserFromBytes(bytes: Uint8Array): CurrentUser | undefined {
  if (bytes.length === 0) return undefined;
  const reader = new Reader(bytes);
  if (reader.int32() !== USER_VERSION) return undefined;
  const flags = reader.int32();
  const id = reader.int64();
  const count = (flags & USER_NAMES) !== 0 ? reader.int32() : 0;
  const usernames = Array.from({ length: count }, () => reader.text());
  return { id, bot: (flags & USER_BOT) !== 0, premium: (flags & USER_PREMIUM) !== 0, usernames };
}

/** A text as TL has it: its length, its bytes, and zeros up to a multiple of four. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const { length } = bytes;
  const head = length < LONG ? Buffer.of(length) : Buffer.of(LONG, length & 255, (length >> 8) & 255, length >> 16);
  return Buffer.concat([head, bytes, Buffer.alloc(padding(head.length + length))]);
}

function padding(length: number): number {
  return -length & 3;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = view(bytes);
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64LE(this.#advance(8));
  }

  text(): string {
    const first = this.byte();
    const length = first < LONG ? first : this.#bytes.readUIntLE(this.#advance(3), 3);
    const start = this.#advance(length);
    this.#advance(padding((first < LONG ? 1 : 4) + length));
    return this.#bytes.toString("utf8", start, start + length);
  }

  /** @returns where it was before */
  #advance(length: number): number {
    this.#at += length;
    return this.#at - length;
  }
}
