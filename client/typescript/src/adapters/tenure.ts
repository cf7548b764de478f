import { type Client, connect } from "../client.js";
import { Lost, Unavailable } from "../error.js";
import type { Hold, HoldOptions } from "../hold.js";
import type { Session } from "../session.js";
import { homeKey } from "./home.js";
import { LoggedOut } from "./logged-out.js";
import { Outbox } from "./outbox.js";

/** How long the end waits for a daemon that is away: as long as that keeps a hold for a process that is away itself. */
const LAST_WRITE_MS = 10_000;

/** How a library's session is held. */
export interface SessionOptions extends Pick<HoldOptions, "onLost" | "onWaiting" | "signal"> {
  /** Where the daemon serves, as for `connect`. */
  readonly socket?: string | undefined;
  /** Whether to wait in line for a session that another process holds. Absent: yes. */
  readonly wait?: boolean | undefined;
  /** What this process calls itself where it holds: at most 128 characters. Absent: the library's name. */
  readonly label?: string | undefined;
  /** Whether a session that is logged out is refused with `LoggedOut`. Absent: if it was waited for. */
  readonly requireLogin?: boolean | undefined;
}

/** The time for which a library has a session open. */
export class Tenure {
  readonly #client: Client;
  /** The hold. */
  readonly hold: Hold;
  /** Where the session is written to. */
  readonly outbox: Outbox;

  private constructor(client: Client, hold: Hold) {
    this.#client = client;
    this.hold = hold;
    this.outbox = new Outbox(hold);
  }

  /**
   * Takes a session.
   *
   * @param lost is called when the hold is lost
   * @throws LoggedOut; and what `Client.hold` throws
   */
  static async begin(name: string, options: SessionOptions, lost: (lost: Lost) => void): Promise<Tenure> {
    const { socket, label, wait = true, signal, onWaiting, requireLogin } = options;
    const client = connect({ socket, label });
    let waited = false;
    try {
      const hold = await client.hold(name, {
        wait,
        signal,
        onLost: lost,
        onWaiting(waiting) {
          waited ||= waiting.holder !== undefined;
          onWaiting?.(waiting);
        },
      });
      const tenure = new Tenure(client, hold);
      if (!(requireLogin ?? waited) || homeKey(tenure.session)) return tenure;
      await hold.release();
      throw new LoggedOut(name);
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** The session as it was at the beginning, with its keys; empty if there was none. */
  get session(): Session {
    return this.hold.session ?? { dcs: [] };
  }

  /**
   * Writes what is queued, and lets the session go.
   *
   * @throws Unavailable: what was written last is not stored, since no daemon answers. Or what it has refused for good.
   */
  async end(): Promise<void> {
    try {
      const written = await this.outbox.flush(LAST_WRITE_MS);
      if (!written) throw new Unavailable(this.#client.socket, "what was written last is not stored");
    } finally {
      await this.#leave();
    }
  }

  /** Deletes the session, and lets it go. */
  async delete(): Promise<void> {
    try {
      this.outbox.close();
      await this.hold.delete();
    } finally {
      await this.#leave();
    }
  }

  async #leave(): Promise<void> {
    this.outbox.close();
    try {
      await this.hold.release({ deadlineMs: LAST_WRITE_MS });
    } catch (error) {
      // Of a lost hold the program was told.
      if (!(error instanceof Lost)) throw error;
    } finally {
      this.#client.close();
    }
  }
}
