import type { Connection } from "./connection.js";
import { Closed } from "./error.js";
import { eventFromWire, type WatchEvent } from "./event.js";
import * as v1 from "./gen/sessiond/v1/session_service.js";
import type { Incoming } from "./incoming.js";
import { checkName } from "./name.js";
import { Retry } from "./retry.js";

/**
 * Which commits a watch is told. `EVERY_CHANGE`: every one. `LATEST`: when the watch is behind, not those that later
 * ones superseded; several of a session may come as one, and after a broken connection commits may come again, also as
 * part of one that took them in. Only synced and bookmarks say how far a watch of the latest has come.
 */
export type WatchMode = "EVERY_CHANGE" | "LATEST";

/** How far a watch has come: what to go on from, also in another process or after a restart. */
export interface WatchPosition {
  /** Everything up to this revision was told. */
  readonly revision: bigint;
  /** Identity of the store. Empty: whichever the daemon has. */
  readonly storeId: string;
}

/** What to follow, and from where. With neither names nor prefix: every session that the caller may see. */
export interface WatchOptions {
  /** Sessions to follow, at most 10,000. They need not exist yet. */
  readonly names?: readonly string[] | undefined;
  /** Follow every session whose name begins with this, too. */
  readonly namePrefix?: string | undefined;
  /** Go on from here. Absent: start with a snapshot of every session. */
  readonly after?: WatchPosition | undefined;
  /** Which commits to be told. Absent: every one. */
  readonly mode?: WatchMode | undefined;
  /** How long the daemon may be silent when nothing happens, in milliseconds: 100 to 3,600,000. Absent: 5,000. */
  readonly bookmarkIntervalMs?: number | undefined;
  /** How long it waits for a daemon before the first event, in milliseconds, in place of the client's own deadline. */
  readonly deadlineMs?: number | undefined;
  /** Ends the watch, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Follows sessions: an async iterable of what happens to them.
 *
 * It begins with restarted, a snapshot of each session, and synced; then comes every commit, in order, once, with none
 * left out. When the connection breaks or the daemon restarts it goes on where it was, for as long as it takes; where
 * that is not possible it says so by another restarted. Before the first event, no daemon for as long as the client's
 * deadline is `Unavailable`. It has ended after an error, after `close`, and when a loop over it is left.
 *
 * It connects when it is first read, and may be left unread from then on: that holds nothing else up.
 */
export class Watch implements AsyncIterable<WatchEvent> {
  readonly #connection: Connection;
  readonly #options: WatchOptions;
  readonly #events: AsyncGenerator<WatchEvent, undefined, undefined>;
  /** Aborted when the watch is closed: by the program, its signal, or the client. */
  readonly #end = new AbortController();
  #retry: Retry;
  /** Undefined before synced: half of the snapshots are worth nothing. */
  #position: WatchPosition | undefined;
  #begun = false;
  /** Set while a connection goes on from a position that the reader has reached: what it knows is not told again. */
  #known: bigint | undefined;

  /** @internal */
  constructor(connection: Connection, options: WatchOptions) {
    options.names?.forEach(checkName);
    this.#connection = connection;
    this.#options = options;
    this.#position = options.after;
    this.#retry = new Retry(connection, options.deadlineMs ?? connection.deadlineMs, this.#end.signal);
    this.#events = this.#follow();
  }

  /** How far it has come, as far as its events were read: what another watch may go on from. Undefined until synced. */
  get position(): WatchPosition | undefined {
    return this.#position;
  }

  /** Waits for the next event. */
  next(): Promise<IteratorResult<WatchEvent, undefined>> {
    return this.#events.next();
  }

  /** Ends the watch, as a loop does that is left. */
  return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#end.abort(new Closed());
    return this.#events.return(undefined);
  }

  /** Ends the watch: whoever waits for its next event is told that there is none. */
  close(): void {
    void this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async *#follow(): AsyncGenerator<WatchEvent, undefined, undefined> {
    const { signal } = this.#options;
    const abort = (): void => {
      this.#end.abort(signal?.reason);
    };
    signal?.throwIfAborted();
    signal?.addEventListener("abort", abort);
    this.#retry.restart();
    try {
      for (;;) {
        const stream = await this.#retry.until(() => this.#connect());
        try {
          for (;;) {
            const event = this.#fresh(eventFromWire(await stream.nextOfEndless()));
            if (event) yield event;
          }
        } catch (error) {
          await this.#retry.pause(error);
        } finally {
          stream.cancel();
        }
      }
    } catch (error) {
      if (error instanceof Closed) return undefined;
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async #connect(): Promise<Incoming<v1.WatchResponse>> {
    const request = requestOf(this.#options, this.#position);
    const stream = this.#connection.watch(v1.SessionServiceService.watch, request, this.#end.signal);
    await stream.opened(this.#retry.deadline);
    this.#known = this.#begun ? this.#position?.revision : undefined;
    return stream;
  }

  /** The event, unless the reader knows it. */
  #fresh(event: WatchEvent): WatchEvent | undefined {
    if (!this.#begun) {
      this.#begun = true;
      this.#retry = new Retry(this.#connection, Infinity, this.#end.signal);
    }
    this.#retry.heard();
    if (event.type === "restarted") this.#known = undefined;
    const known = this.#isKnown(event);
    this.#position = positionAfter(this.#position, event, this.#options.mode);
    return known ? undefined : event;
  }

  #isKnown(event: WatchEvent): boolean {
    if (this.#known === undefined || event.type === "restarted") return false;
    if (event.type === "snapshot" || event.type === "bookmark") return false;
    // The reader was told that it is in step, and never that it is not.
    return event.type === "synced" || event.revision <= this.#known;
  }
}

function requestOf(options: WatchOptions, after: WatchPosition | undefined): v1.WatchRequest {
  const { names = [], namePrefix = "", mode, bookmarkIntervalMs } = options;
  return {
    names: [...names],
    namePrefix,
    afterRevision: after?.revision,
    mode: v1.WatchMode[mode ?? "EVERY_CHANGE"],
    bookmarkInterval: bookmarkIntervalMs === undefined ? undefined : duration(bookmarkIntervalMs),
    storeId: after?.storeId ?? "",
  };
}

/** The position past an event, if everything up to it has been told. */
function positionAfter(
  position: WatchPosition | undefined,
  event: WatchEvent,
  mode: WatchMode | undefined,
): WatchPosition | undefined {
  if (event.type === "restarted") return undefined;
  if (event.type === "snapshot") return position;
  if (event.type === "synced") {
    return { revision: later(position?.revision ?? 0n, event.revision), storeId: event.storeId };
  }
  // Of the latest, an earlier commit of another session may be part of one that is still to come.
  if (!position || (mode === "LATEST" && event.type !== "bookmark")) return position;
  return { ...position, revision: later(position.revision, event.revision) };
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}

function duration(milliseconds: number): { seconds: bigint; nanos: number } {
  const whole = Math.trunc(milliseconds / 1000);
  return { seconds: BigInt(whole), nanos: Math.round((milliseconds - whole * 1000) * 1e6) };
}
