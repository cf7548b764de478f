import { status } from "@grpc/grpc-js";

import { Access } from "./access.js";
import type { CallOptions, Connection } from "./connection.js";
import { Closed, Fenced, Lost, type LostReason } from "./error.js";
import * as v1 from "./gen/sessiond/v1/session_service.js";
import { HeldSession } from "./held.js";
import type { Incoming } from "./incoming.js";
import { milliseconds } from "./info.js";
import { checkName } from "./name.js";
import { isStatus, madeStatus, refusal } from "./refusal.js";
import { Retry } from "./retry.js";
import { Token } from "./secret.js";
import type { Session } from "./session.js";
import { Standing } from "./standing.js";
import { lostReasonFromWire, sessionFromWire } from "./wire.js";

const { SessionServiceService: service } = v1;

/** How a session is asked for. */
export interface HoldOptions extends CallOptions {
  /** Wait in line while another client holds the session, for as long as it takes. Without, that is `HeldByAnother`. */
  readonly wait?: boolean | undefined;
  /** What this client calls itself with this hold, in place of its own label: at most 128 characters. */
  readonly label?: string | undefined;
  /** Is told who is in the way, at once and whenever that or the place in the line changes. */
  readonly onWaiting?: ((waiting: v1.Waiting) => void) | undefined;
  /** Is told, once, that the hold was lost: stop using the keys, close the connection to Telegram. */
  readonly onLost?: ((lost: Lost) => unknown) | undefined;
}

/** A hold's stream: how long it is open is how long the daemon knows the keys to be in use. */
type LifeLine = Incoming<v1.HoldResponse>;

/**
 * A session, held for this process alone.
 *
 * A daemon that is down or restarts does not end a hold: it is taken up again by its token, for as long as it takes.
 * Where it is lost, the program hears of it by `onLost` and by `signal`, and every later call fails with `Lost`. If it
 * has asked for neither, and no call is under way that can tell it, the loss is an unhandled rejection, which ends the
 * process.
 *
 * `release` is the clean end. While it is held, the process does not end by itself.
 */
export class Hold extends HeldSession {
  readonly #access: Access;
  readonly #lifeLine: AbortController;
  readonly #granted: v1.Granted;
  readonly #session: Session | undefined;

  /** @internal */
  constructor(access: Access, granted: v1.Granted, lifeLine: AbortController) {
    super(access);
    this.#access = access;
    this.#granted = granted;
    this.#lifeLine = lifeLine;
    this.#session = granted.session && sessionFromWire(granted.session);
  }

  /** Revision at which the hold was granted. A later hold of the session has a higher one. */
  get fence(): bigint {
    return this.#granted.fence;
  }

  /** The session's revision when the hold was granted. 0: there was no session. */
  get revision(): bigint {
    return this.#granted.revision;
  }

  /** The session when the hold was granted, with its keys. Undefined: there was none. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** How long this process may be out of touch with a running daemon before the hold is lost, in milliseconds. */
  get resumeWithinMs(): number {
    return milliseconds(this.#granted.resumeWithin);
  }

  /**
   * Lets the session go, at once and for good. Close the connection to Telegram first.
   *
   * @throws Lost: the hold had ended before. Unavailable: the daemon was not told, and passes the session on by its own
   * rules. Either way this process does not hold it any more.
   */
  async release(options: CallOptions = {}): Promise<void> {
    const { connection, standing, name, shown } = this.#access;
    const retry = new Retry(connection, options.deadlineMs ?? connection.deadlineMs, options.signal);
    try {
      standing.check();
      standing.release();
      await connection.call(service.release, shown, options, retry);
    } catch (error) {
      if (!(error instanceof Fenced)) throw error;
      // A refusal after an attempt that was not answered is taken for that attempt having gone through.
      if (retry.attempts === 1) throw new Lost(name, "FENCED");
    } finally {
      this.drop();
    }
  }

  /**
   * Lets go of the session without telling the daemon, as a process that ends does. Where it was lost, that tells the
   * daemon that the keys are not in use any more. Otherwise the session stays this process's until the resume window is
   * over, because the connection to Telegram may live on: prefer `release`.
   */
  drop(): void {
    this.#access.standing.release();
    this.#lifeLine.abort(new Closed());
  }

  /** Releases the session; where the hold was lost, which the program knows by then, only drops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#access.standing.isHeld) await this.release();
    else this.drop();
  }
}

/** Asks for a session until it is granted or refused. */
export async function hold(
  connection: Connection,
  name: string,
  defaultLabel: string,
  options: HoldOptions,
): Promise<Hold> {
  checkName(name);
  const { deadlineMs = connection.deadlineMs, signal, label = defaultLabel, wait = false } = options;
  signal?.throwIfAborted();
  const lifeLine = new AbortController();
  const cancel = (): void => {
    lifeLine.abort(signal?.reason);
  };
  signal?.addEventListener("abort", cancel);
  const request = { name, label, wait, token: Buffer.alloc(0) };
  const retry = new Retry(connection, deadlineMs, lifeLine.signal);
  try {
    const { granted, stream } = await retry.until(() => ask(connection, request, lifeLine, retry, options));
    const token = new Token(granted.token);
    const access = new Access(connection, name, token, Standing.own(name, options.onLost));
    const held = new Hold(access, granted, lifeLine);
    void keep(access, { ...request, token: granted.token }, stream, lifeLine);
    return held;
  } catch (error) {
    lifeLine.abort();
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

async function ask(
  connection: Connection,
  request: v1.HoldRequest,
  lifeLine: AbortController,
  retry: Retry,
  { onWaiting }: HoldOptions,
): Promise<{ granted: v1.Granted; stream: LifeLine }> {
  const stream = connection.stream(service.hold, request, lifeLine.signal);
  await stream.opened(retry.deadline);
  for (;;) {
    const { event } = await stream.nextOfEndless();
    retry.heard();
    if (event?.$case === "waiting") onWaiting?.(event.value);
    if (event?.$case === "granted") return { granted: event.value, stream };
    if (event?.$case === "lost") throw new Lost(request.name, lostReasonFromWire(event.value.reason));
  }
}

/** Keeps a hold's stream open until the hold ends. */
async function keep(
  access: Access,
  request: v1.HoldRequest,
  granted: LifeLine,
  lifeLine: AbortController,
): Promise<void> {
  const { connection, standing } = access;
  const retry = new Retry(connection, Infinity, lifeLine.signal);
  let stream: LifeLine | undefined = granted;
  try {
    const reason = await retry.until(() => {
      // The program lets go of it just now.
      if (!standing.isHeld) throw new Closed();
      const open = stream ?? connection.stream(service.hold, request, lifeLine.signal);
      stream = undefined;
      return listen(open, retry);
    });
    // The session is granted to the next when this stream is closed: when the program lets go of the hold.
    standing.lose(reason);
  } catch (error) {
    // Anything but that the program has let go, of the hold or of the client, is a fault of ours and is not hidden.
    if (!(error instanceof Closed)) throw error;
    standing.release();
  }
}

/** Listens to a hold's stream until it is lost. */
async function listen(stream: LifeLine, retry: Retry): Promise<LostReason> {
  try {
    for (;;) {
      const { event } = await stream.nextOfEndless();
      if (event?.$case === "lost") return lostReasonFromWire(event.value.reason);
      retry.heard();
    }
  } catch (error) {
    if (isStatus(error) && refusal(error) instanceof Fenced) return "FENCED";
    // Whatever it was, it did not say that the hold has ended, and only that ends it.
    stream.cancel();
    throw madeStatus(status.UNAVAILABLE, String(error));
  }
}
