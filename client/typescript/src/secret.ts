import { inspect } from "node:util";

import { InvalidArgument } from "./error.js";

const TOKEN_BYTES = 32;
const KEY_BYTES = 256;

/** Bytes that are shown to nobody who prints, logs or serializes them. */
abstract class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes);
  }

  /** A copy of the bytes. Never log or print it. */
  expose(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  toString(): string {
    return `${this.constructor.name}(..)`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * An authorization key: 256 bytes. Whoever has it has the account. It is not shown by `console.log` or
 * `JSON.stringify`.
 */
export class AuthKey extends Secret {
  /** @throws InvalidArgument unless there are 256 bytes. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) {
      throw new InvalidArgument("INVALID_SESSION", `an authorization key has ${KEY_BYTES} bytes, not ${bytes.length}`);
    }
    super(bytes);
  }

  /** Whether it is the same key. */
  equals(other: AuthKey): boolean {
    return Buffer.compare(this.expose(), other.expose()) === 0;
  }
}

/** The token of a hold: who shows it is taken for the holder. It is not shown by `console.log` or `JSON.stringify`. */
export class Token extends Secret {
  /** @throws InvalidArgument unless there are 32 bytes. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== TOKEN_BYTES) {
      throw new InvalidArgument("TOKEN_REQUIRED", `a hold's token has ${TOKEN_BYTES} bytes, not ${bytes.length}`);
    }
    super(bytes);
  }

  /**
   * Reads hexadecimal, as `sessiond hold` puts it into `SESSIOND_TOKEN`.
   *
   * @throws InvalidArgument unless there are 64 hexadecimal digits.
   */
  static fromHex(text: string): Token {
    return new Token(Buffer.from(text, "hex"));
  }

  /** The token in hexadecimal, for a process that works for the holder. Never log or print it. */
  exposeHex(): string {
    return Buffer.from(this.expose()).toString("hex");
  }
}
