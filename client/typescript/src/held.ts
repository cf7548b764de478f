import { randomUUID } from "node:crypto";
import { inspect } from "node:util";

import type { Access } from "./access.js";
import { AdvanceStream } from "./advance-stream.js";
import { Attributes } from "./attributes.js";
import type { CallOptions } from "./connection.js";
import * as v1 from "./gen/sessiond/v1/session_service.js";
import { Peers } from "./peers.js";
import type { Token } from "./secret.js";
import type { Change, Clear, Loaded, Session } from "./session.js";
import { changeToWire, clearToWire, loadedFromWire, sessionToWire, wholeSessionToWire } from "./wire.js";

const { SessionServiceService: sessions } = v1;

/** What a write may be given. */
export interface WriteOptions extends CallOptions {
  /** Refuse with `RevisionMismatch` unless the session is at this revision. 0: there must be none yet. */
  readonly expectedRevision?: bigint | undefined;
  /**
   * Sent in place of a new request id, at most 128 bytes: for a program that repeats its writes after its own restart.
   * The same id with the same content takes effect once.
   */
  readonly requestId?: string | undefined;
}

/** What a merge may be given. */
export interface MergeOptions extends WriteOptions {
  /** What to forget first, in the same commit. This is how a library logs out. */
  readonly clear?: Clear | undefined;
}

/**
 * A held session: what its keys can be read by and its data written with. It does not keep the session held; the `Hold`
 * does.
 *
 * While no daemon answers, a call is tried again until its deadline; a write goes through once, however often it is
 * tried. Every method fails with `Lost` (with a token that was given, `Fenced`) once the session is not held any more,
 * with `Unavailable` when no daemon answers in time, and with what the daemon refuses.
 */
export class HeldSession {
  readonly #access: Access;
  /** What the session's account knows of others. */
  readonly peers: Peers;
  /** What only one library, or a few, keep in the session. */
  readonly attributes: Attributes;

  /** @internal */
  constructor(access: Access) {
    this.#access = access;
    this.peers = new Peers(access);
    this.attributes = new Attributes(access);
  }

  /** The session's name. */
  get name(): string {
    return this.#access.name;
  }

  /** The hold's token, for processes that work for this one. A secret. */
  get token(): Token {
    return this.#access.token;
  }

  /**
   * Aborted when the hold is lost, with the error as its reason: stop using the keys then. A hold that is released is
   * never lost; a daemon that is down does not end one either. Without the `Hold`, in a process that was given the
   * token, a loss shows itself at the next call.
   */
  get signal(): AbortSignal {
    return this.#access.standing.signal;
  }

  /** Reads the session, with its keys. */
  async load(options?: CallOptions): Promise<Loaded> {
    return loadedFromWire(await this.#access.call(sessions.load, {}, options));
  }

  /**
   * Makes the session exactly this.
   *
   * @returns the session's revision, as all writes do
   * @throws InvalidArgument: a key in it is withheld, and would be lost; `merge` keeps it
   */
  async save(session: Session, options?: WriteOptions): Promise<bigint> {
    return this.#save(v1.SaveMode.REPLACE, { session: wholeSessionToWire(session), clear: undefined }, options);
  }

  /**
   * Adds what this session knows to what is stored, and takes nothing away but what `clear` names: what is absent, and
   * a counter that is 0, keeps what is stored.
   */
  async merge(session: Session, options?: MergeOptions): Promise<bigint> {
    const clear = clearToWire(options?.clear);
    return this.#save(v1.SaveMode.MERGE, { session: sessionToWire(session), clear }, options);
  }

  /** Sets the counters that the change mentions. */
  async advance(change: Change, options?: WriteOptions): Promise<bigint> {
    const request = { change: changeToWire(change), ...conditions(options) };
    return (await this.#access.call(sessions.advance, request, options)).revision;
  }

  /** Opens a stream of such changes, which do not wait for each other's answers. */
  advanceStream(): AdvanceStream {
    return new AdvanceStream(this.#access);
  }

  /**
   * Deletes the session, its peers and its attributes. `load` and `save` still work after it. Of nothing: the revision
   * is 0.
   */
  async delete(options?: WriteOptions): Promise<bigint> {
    return (await this.#access.call(sessions.delete, conditions(options), options)).revision;
  }

  toJSON(): unknown {
    return { name: this.name };
  }

  [inspect.custom](): string {
    return `${this.constructor.name}(${this.name}, ${this.#access.standing.toString()})`;
  }

  async #save(
    mode: v1.SaveMode,
    content: Pick<v1.SaveRequest, "session" | "clear">,
    options: WriteOptions | undefined,
  ): Promise<bigint> {
    const request = { mode, ...content, ...conditions(options) };
    return (await this.#access.call(sessions.save, request, options)).revision;
  }
}

function conditions(options: WriteOptions | undefined): { expectedRevision: bigint | undefined; requestId: string } {
  return { expectedRevision: options?.expectedRevision, requestId: options?.requestId ?? randomUUID() };
}
