import type { SaveClear } from "./gen/sessiond/v1/session_service.js";
import type { Holder, StateChange, UpdateState, User } from "./gen/sessiond/v1/session.js";
import type { AuthKey } from "./secret.js";

/** Everything a program needs to go on being logged in to Telegram. Whoever has it has the account. */
export interface Session {
  /** The data centers known, at most 64, each id once. Answers have them by ascending id. */
  readonly dcs: readonly DataCenter[];
  /** Who is logged in. Absent: nobody, or not known. */
  readonly user?: User | undefined;
  /** Which updates were seen. Absent: none were. */
  readonly state?: UpdateState | undefined;
  /** Id of the home data center, for the time before anybody is logged in. Absent: `user.dc`, and without a user 2. */
  readonly homeDc?: number | undefined;
  /** Whether the data centers are Telegram's test servers. Absent: not known, taken as production. */
  readonly testMode?: boolean | undefined;
}

/** A data center and the key shared with it. */
export interface DataCenter {
  /** Data center id, positive. */
  readonly id: number;
  /** IPv4 address, `ip:port`. */
  readonly ipv4Addr?: string | undefined;
  /** IPv6 address, `ip:port` without brackets. */
  readonly ipv6Addr?: string | undefined;
  /**
   * The authorization key. Absent: there is none, or, where `hasAuth` is set, it is withheld from who does not hold the
   * session.
   */
  readonly auth?: AuthKey | undefined;
  /** Whether there is a key, known here or not. Always set in answers. */
  readonly hasAuth?: boolean | undefined;
}

/** A session as it was read. */
export interface Loaded {
  /** The session. Absent: there is none. */
  readonly session: Session | undefined;
  /** Its revision. 0: there is no session. */
  readonly revision: bigint;
  /** Who holds it. Absent: nobody. */
  readonly holder: Holder | undefined;
}

/** What a merge forgets first. Whatever is not mentioned stays. */
export type Clear = Partial<SaveClear>;

/** A change of an update state: what it mentions is set, the rest stays. */
export type Change = Partial<StateChange>;
