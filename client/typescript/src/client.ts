import { inspect } from "node:util";

import { Access } from "./access.js";
import { type CallOptions, Connection } from "./connection.js";
import type { Lost } from "./error.js";
import * as admin from "./gen/sessiond/v1/admin_service.js";
import * as v1 from "./gen/sessiond/v1/session_service.js";
import { HeldSession } from "./held.js";
import { type Hold, hold, type HoldOptions } from "./hold.js";
import { type ServerInfo, serverInfoFromWire } from "./info.js";
import { AT_ONCE } from "./kept.js";
import { checkName } from "./name.js";
import type { Token } from "./secret.js";
import type { Loaded } from "./session.js";
import { findSocket } from "./socket.js";
import { Standing } from "./standing.js";
import { Watch, type WatchOptions } from "./watch.js";
import { loadedFromWire } from "./wire.js";

/** How long a call waits for a daemon, unless something else is said. */
const DEADLINE_MS = 30_000;

const { AdminServiceService: operators } = admin;
const { SessionServiceService: sessions } = v1;

/** Settings of a client. */
export interface ConnectOptions {
  /**
   * Where the daemon serves: a path, `unix:PATH`, or `unix-abstract:NAME` (from Node 22 on). Absent: what `SESSIOND_SOCKET` names, else
   * where `sessiond serve` serves by default.
   */
  readonly socket?: string | undefined;
  /** How long a call waits for a daemon, in milliseconds. Absent: 30,000. `Infinity`: for ever. */
  readonly deadlineMs?: number | undefined;
  /** What this client calls itself where it holds: at most 128 characters without control characters. */
  readonly label?: string | undefined;
}

/** Which sessions to list. */
export interface ListOptions extends CallOptions {
  /** Only names that begin with this. */
  readonly namePrefix?: string | undefined;
}

/** What to do with a session's mirror: see `Client.settleMirror`. */
export type MirrorAction = "WRITE" | "REPLACE" | "TAKE";

/** A mirror that was settled. */
export interface SettledMirror {
  /** The session's revision, which the mirror now has. 0: there is no session, and no mirror. */
  readonly revision: bigint;
  /** File name, in the daemon's directory, under which the earlier file was kept. Absent: nothing was replaced. */
  readonly keptAs: string | undefined;
}

/** Makes a client. It connects when the first call needs it: the daemon need not run yet. */
export function connect(options: ConnectOptions = {}): Client {
  const { socket, deadlineMs = DEADLINE_MS, label = "" } = options;
  return new Client(new Connection(findSocket(socket), deadlineMs), label);
}

/**
 * A client of the daemon.
 *
 * It has two connections, one for watches and one for everything else, made when they are needed, and again whenever
 * they break. While no daemon answers, calls are tried again, at most a second apart, until their deadline; then they
 * fail with `Unavailable`. A write goes through once however often it is tried.
 *
 * Idle connections do not keep the process alive; calls, holds and watches do.
 */
export class Client {
  readonly #connection: Connection;
  readonly #label: string;

  /** @internal */
  constructor(connection: Connection, label: string) {
    this.#connection = connection;
    this.#label = label;
  }

  /** Where the daemon is looked for: a path, or `unix-abstract:NAME`. */
  get socket(): string {
    return this.#connection.socket;
  }

  /**
   * Takes a session for this process alone.
   *
   * @throws HeldByAnother unless it waits, FileInUse, ForeignFile, Damaged, Unavailable and others
   */
  hold(name: string, options: HoldOptions = {}): Promise<Hold> {
    return hold(this.#connection, name, this.#label, options);
  }

  /**
   * Holds a session while some work is done, as `navigator.locks.request` does with a lock: what the work comes to is
   * what this comes to, after the session was released.
   *
   * Where the hold is lost in the middle, this fails with `Lost` at once. The work is told by `hold.signal`; the daemon
   * grants the session to the next when the work has ended, though it does not wait longer than its resume window.
   */
  async withHold<Result>(
    name: string,
    options: HoldOptions,
    work: (hold: Hold) => Promise<Result> | Result,
  ): Promise<Result> {
    const held = await this.hold(name, options);
    const { signal } = held;
    const lost = new Promise<never>((_, reject) => {
      const tell = (): void => reject(signal.reason as Lost);
      if (signal.aborted) tell();
      else signal.addEventListener("abort", tell);
    });
    return Promise.race([lost, released(held, work)]);
  }

  /** A session that another process holds, which gave this one its token to work for it. */
  held(name: string, token: Token): HeldSession {
    checkName(name);
    return new HeldSession(new Access(this.#connection, name, token, Standing.given()));
  }

  /** Reads a session without its keys. Anyone may, whether or not it is held. */
  async load(name: string, options?: CallOptions): Promise<Loaded> {
    checkName(name);
    const request = { name, token: Buffer.alloc(0) };
    return loadedFromWire(await this.#connection.call(sessions.load, request, options));
  }

  /** The sessions, by name. Pages are asked for as the listing is read. */
  async *list(options: ListOptions = {}): AsyncGenerator<v1.SessionSummary, void, undefined> {
    const { namePrefix = "" } = options;
    let pageToken = "";
    do {
      const request = { pageSize: AT_ONCE, pageToken, namePrefix };
      const page = await this.#connection.call(sessions.list, request, options);
      yield* page.sessions;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Follows sessions. The watch goes on by itself after every break, where it was. */
  watch(options: WatchOptions = {}): Watch {
    return new Watch(this.#connection, options);
  }

  /**
   * Ends a session's hold. The holder is told, and may write no more. Of a session that nobody holds: nothing happens.
   */
  async endHold(name: string, options?: CallOptions): Promise<void> {
    checkName(name);
    await this.#connection.call(operators.endHold, { name }, options);
  }

  /** What daemon it is, and how it fares. */
  async info(options?: CallOptions): Promise<ServerInfo> {
    return serverInfoFromWire(await this.#connection.call(operators.getServerInfo, {}, options));
  }

  /**
   * Settles a session's mirror, the file `NAME.session`; needs a session that nobody holds. `WRITE`: the newest state
   * is written into it, unless the file is not as the daemon left it (`ForeignFile`). `REPLACE`: a new file is written,
   * whatever is there. `TAKE`: what is in the file becomes the session's content.
   *
   * @throws HeldByAnother, ForeignFile, FileInUse and others
   */
  async settleMirror(name: string, action: MirrorAction, options?: CallOptions): Promise<SettledMirror> {
    checkName(name);
    const request = { name, action: admin.MirrorAction[action] };
    const { revision, keptAs } = await this.#connection.call(operators.settleMirror, request, options);
    return { revision, keptAs: keptAs || undefined };
  }

  /**
   * Ends both connections. Watches end, calls that are under way fail with `Closed`, and holds are dropped without
   * release: release them first.
   */
  close(): void {
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  [inspect.custom](): string {
    return `Client(${this.socket})`;
  }
}

/** What some work with a hold comes to, once the hold was released. */
async function released<Result>(held: Hold, work: (hold: Hold) => Promise<Result> | Result): Promise<Result> {
  let result: Result;
  try {
    result = await work(held);
  } catch (error) {
    // What went wrong first is what the caller has to know.
    await held[Symbol.asyncDispose]().catch(() => undefined);
    throw error;
  }
  await held[Symbol.asyncDispose]();
  return result;
}
