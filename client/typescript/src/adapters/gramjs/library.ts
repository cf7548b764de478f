/** The parts of GramJS, and of teleproto, which became of it, that a session is made of. They are the same in both. */

/** The library's `AuthKey`. */
export interface LibraryKey {
  setKey(value?: Buffer): Promise<void>;
  getKey(): Buffer | undefined;
}

/** A number of the library's, as `big-integer` has it. */
export interface BigNumber {
  toString(): string;
}

/** The library's `MemorySession`, with what it has for those who extend it. */
export interface MemorySession {
  _dcId: number;
  _serverAddress: string | undefined;
  _port: number | undefined;
  _authKey: LibraryKey | undefined;
  _takeoutId: BigNumber | undefined;
  readonly dcId: number;
  setDC(dcId: number, serverAddress: string, port: number): void;
  _entitiesToRows(tlo: unknown): unknown[][];
}

/** What is taken from the library; `Base` is its `MemorySession` as its own types have it. */
export interface Library<Base> {
  readonly MemorySession: new () => MemorySession & Base;
  readonly AuthKey: new () => LibraryKey;
  readonly returnBigInt: (number: bigint) => BigNumber;
}

/** A `User` of the library, as far as it is read here. */
interface LibraryUser {
  readonly className: "User";
  readonly self?: boolean;
  readonly id: { toString(): string };
  readonly bot?: boolean;
  readonly username?: string;
}

/** The account itself, where an answer or an update tells of it. */
export function selfIn(tlo: unknown): { id: bigint; bot: boolean; username: string | undefined } | undefined {
  const user = usersIn(tlo).find((each) => each.self === true);
  return user && { id: BigInt(user.id.toString()), bot: user.bot ?? false, username: user.username };
}

/** Whether it is Telegram's answer to a log-out. */
export function isLoggedOut(tlo: unknown): boolean {
  return isObject(tlo) && tlo.className === "auth.LoggedOut";
}

function usersIn(tlo: unknown): LibraryUser[] {
  if (Array.isArray(tlo)) return tlo.filter(isUser);
  if (!isObject(tlo)) return [];
  return [tlo.user, ...(Array.isArray(tlo.users) ? (tlo.users as unknown[]) : [])].filter(isUser);
}

function isUser(value: unknown): value is LibraryUser {
  return isObject(value) && value.className === "User";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
