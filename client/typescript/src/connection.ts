import { Client as Channel, type ClientReadableStream, credentials } from "@grpc/grpc-js";

import { encodable } from "./encodable.js";
import { Closed, Unexpected } from "./error.js";
import { Incoming } from "./incoming.js";
import { Retry } from "./retry.js";
import { target } from "./socket.js";

/** A method of a service, as the generated code describes it. */
export interface Method<Request, Answer> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (answer: Buffer) => Answer;
}

/** What every call may be given. */
export interface CallOptions {
  /** After how many milliseconds without an answer it gives up, in place of the client's own. `Infinity`: never. */
  readonly deadlineMs?: number | undefined;
  /** Ends the call, which then fails with the signal's reason. Whether a write went through is not known then. */
  readonly signal?: AbortSignal | undefined;
}

/** A stream in both directions. */
export interface Exchange<Request, Answer> {
  readonly incoming: Incoming<Answer>;
  send(request: Request): void;
  /** Says that nothing more will be sent. */
  end(): void;
}

interface Call {
  cancel(): void;
}

/**
 * Window of a stream, in bytes: what the daemon sends of one that is not read. Node gives back the connection's own
 * window whatever the streams do, so that one that is not read holds up no other.
 */
const STREAM_WINDOW = 65_535;
/**
 * How often gRPC itself tries to connect. A call that finds no connection fails at once, and is tried again by `Retry`.
 */
const FIRST_RECONNECT_MS = 20;
const LONGEST_RECONNECT_MS = 250;

/** Two connections to a daemon, one for watches and one for everything else; made when they are needed, and again. */
export class Connection {
  readonly socket: string;
  readonly deadlineMs: number;
  readonly #calls: Channel;
  readonly #watches: Channel;
  /** What is under way. */
  readonly #open = new Set<Call>();
  #closed = false;

  constructor(socket: string, deadlineMs: number) {
    this.socket = socket;
    this.deadlineMs = deadlineMs;
    this.#calls = channel(socket);
    this.#watches = channel(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Makes a call, and again while no daemon answers. */
  async call<Request, Answer>(
    method: Method<Request, Answer>,
    request: Request,
    options: CallOptions = {},
    retry = new Retry(this, options.deadlineMs ?? this.deadlineMs, options.signal),
  ): Promise<Answer> {
    const bytes = encodable(() => method.requestSerialize(request));
    options.signal?.throwIfAborted();
    return method.responseDeserialize(
      await retry.until(() => this.#unary(method.path, bytes, retry.deadline, options.signal)),
    );
  }

  /** Opens a stream of answers, until the signal is aborted. */
  stream<Request, Answer>(method: Method<Request, Answer>, request: Request, signal?: AbortSignal): Incoming<Answer> {
    return this.#stream(this.#calls, method, request, signal);
  }

  /** The same on the watches' own connection. */
  watch<Request, Answer>(method: Method<Request, Answer>, request: Request, signal: AbortSignal): Incoming<Answer> {
    return this.#stream(this.#watches, method, request, signal);
  }

  /** Opens a stream in both directions, until the signal is aborted. */
  exchange<Request, Answer>(method: Method<Request, Answer>, signal: AbortSignal): Exchange<Request, Answer> {
    if (this.#closed) throw new Closed();
    signal.throwIfAborted();
    const call = this.#calls.makeBidiStreamRequest(method.path, asItIs, asItIs);
    return {
      incoming: this.#tracked(call, method, signal),
      send: (request) => void call.write(method.requestSerialize(request)),
      end: () => void call.end(),
    };
  }

  /** Ends what is under way, and both connections. */
  close(): void {
    this.#closed = true;
    for (const call of this.#open) call.cancel();
    this.#calls.close();
    this.#watches.close();
  }

  #unary(path: string, request: Buffer, deadline: number, signal: AbortSignal | undefined): Promise<Buffer> {
    if (this.#closed) throw new Closed();
    return new Promise((resolve, reject) => {
      const call = this.#calls.makeUnaryRequest(path, asItIs, asItIs, request, { deadline }, (error, answer) => {
        forget();
        if (answer) resolve(answer);
        else reject(error ?? new Unexpected("neither an answer nor an error"));
      });
      const forget = this.#remember(call, signal);
    });
  }

  #stream<Request, Answer>(
    channel: Channel,
    method: Method<Request, Answer>,
    request: Request,
    signal: AbortSignal | undefined,
  ): Incoming<Answer> {
    if (this.#closed) throw new Closed();
    signal?.throwIfAborted();
    const bytes = encodable(() => method.requestSerialize(request));
    return this.#tracked(channel.makeServerStreamRequest(method.path, asItIs, asItIs, bytes), method, signal);
  }

  #tracked<Answer>(
    call: ClientReadableStream<Buffer>,
    method: Method<never, Answer>,
    signal: AbortSignal | undefined,
  ): Incoming<Answer> {
    call.on("status", this.#remember(call, signal));
    return new Incoming(call, method.responseDeserialize);
  }

  /** Has a call end with the signal and with this connection. What is returned makes that undone. */
  #remember(call: Call, signal: AbortSignal | undefined): () => void {
    const cancel = (): void => {
      call.cancel();
    };
    this.#open.add(call);
    signal?.addEventListener("abort", cancel);
    return () => {
      this.#open.delete(call);
      signal?.removeEventListener("abort", cancel);
    };
  }
}

function channel(socket: string): Channel {
  return new Channel(target(socket), credentials.createInsecure(), {
    "grpc.default_authority": "localhost",
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": FIRST_RECONNECT_MS,
    "grpc.max_reconnect_backoff_ms": LONGEST_RECONNECT_MS,
    "grpc-node.flow_control_window": STREAM_WINDOW,
  });
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}
