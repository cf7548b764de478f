import type { Account } from "./account.js";
import { KeyedState } from "./update-state.js";
import type { Values } from "./values.js";

/** What the keys of attributes begin with that are one of mtcute's keys. */
export const KEY_VALUE = "mtcute.kv/";

const MAIN = "dc_main";
const USER = "current_user";

/**
 * mtcute's `IKeyValueRepository`. What a session has fields for is read from them and written to them: the update state,
 * the home data center, the user. Everything else is an attribute.
 */
export class KeyValues {
  readonly #state: KeyedState;
  readonly #account: Account;
  readonly #values: Values;

  constructor(state: KeyedState, account: Account, values: Values) {
    this.#state = state;
    this.#account = account;
    this.#values = values;
  }

  get(key: string): Uint8Array | null {
    if (KeyedState.has(key)) return this.#state.get(key);
    if (key === MAIN) return this.#account.dcMain();
    if (key === USER) return this.#account.currentUser();
    return this.#values.get(KEY_VALUE + key);
  }

  set(key: string, value: Uint8Array): void {
    if (KeyedState.has(key)) this.#state.set(key, value);
    else if (key === MAIN) this.#account.setDcMain(value);
    else if (key === USER) this.#setUser(value);
    else this.#values.set(KEY_VALUE + key, value);
  }

  delete(key: string): void {
    if (KeyedState.has(key)) this.#state.delete(key);
    else if (key === USER) this.#logOut();
    // A home data center is replaced, and never forgotten: the keys would be nobody's.
    else if (key !== MAIN) this.#values.set(KEY_VALUE + key, null);
  }

  deleteAll(): void {
    this.#logOut();
    this.#values.deleteBelow(KEY_VALUE);
  }

  #setUser(value: Uint8Array): void {
    if (value.length === 0) this.#logOut();
    else this.#account.setCurrentUser(value);
  }

  #logOut(): void {
    this.#account.logOut();
    this.#state.clear();
  }
}
