import type { Account } from "./account.js";
import { int64, view } from "../bytes.js";
import type { Values } from "./values.js";

/** What the keys of attributes begin with that are temporary authorization keys. */
export const TEMPORARY = "mtcute.temp/";

const EXPIRES_BYTES = 8;

/** mtcute's `IAuthKeysRepository`. Every change is with the daemon when it is done, as mtcute wants it. */
export class AuthKeys {
  readonly #account: Account;
  readonly #temporary: Values;
  readonly #save: () => Promise<void>;

  /** @param save writes what is new */
  constructor(account: Account, temporary: Values, save: () => Promise<void>) {
    this.#account = account;
    this.#temporary = temporary;
    this.#save = save;
  }

  get(dc: number): Uint8Array | null {
    return this.#account.key(dc);
  }

  async set(dc: number, key: Uint8Array | null): Promise<void> {
    if (key) this.#account.setKey(dc, key);
    else this.#account.forgetKey(dc);
    await this.#save();
  }

  /** @param now in whatever unit `expires` was given in */
  getTemp(dc: number, index: number, now: number): Uint8Array | null {
    const value = this.#temporary.get(temporary(dc, index));
    if (!value || Number(view(value).readBigInt64LE()) <= now) return null;
    return value.slice(EXPIRES_BYTES);
  }

  async setTemp(dc: number, index: number, key: Uint8Array | null, expires: number): Promise<void> {
    const value = key && Buffer.concat([int64(BigInt(Math.trunc(expires))), key]);
    this.#temporary.set(temporary(dc, index), value);
    await this.#save();
  }

  async deleteByDc(dc: number): Promise<void> {
    this.#account.forgetKey(dc);
    this.#temporary.deleteBelow(`${TEMPORARY}${dc}.`);
    await this.#save();
  }

  async deleteAll(): Promise<void> {
    this.#account.forgetKeys();
    this.#temporary.deleteBelow(TEMPORARY);
    await this.#save();
  }
}

function temporary(dc: number, index: number): string {
  return `${TEMPORARY}${dc}.${index}`;
}
