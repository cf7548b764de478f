import { type ClientReadableStream, type ServiceError, status } from "@grpc/grpc-js";

import { Bell } from "./bell.js";
import { madeStatus } from "./refusal.js";

/** What a timer of Node can wait. A deadline that is further away is none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The messages of a stream, taken one by one. What is not taken stays with the daemon, but for a window's worth. */
export class Incoming<Message> {
  readonly #stream: ClientReadableStream<Buffer>;
  readonly #decode: (bytes: Buffer) => Message;
  readonly #changed = new Bell();
  #answered = false;
  #ended = false;
  #error: ServiceError | undefined;

  constructor(stream: ClientReadableStream<Buffer>, decode: (bytes: Buffer) => Message) {
    this.#stream = stream;
    this.#decode = decode;
    stream.on("readable", () => {
      this.#changed.ring();
    });
    stream.on("metadata", () => {
      this.#answered = true;
      this.#changed.ring();
    });
    stream.on("error", (error: ServiceError) => {
      this.#end(error);
    });
    stream.on("end", () => {
      this.#end();
    });
  }

  /**
   * Waits until the daemon has answered, or the stream has ended.
   *
   * @param deadline in milliseconds since the epoch
   * @throws ServiceError: the stream has ended with it, or the deadline has passed
   */
  async opened(deadline: number): Promise<void> {
    const left = deadline - Date.now();
    const late = left < LONGEST_TIMER_MS ? setTimeout(() => this.#late(), left) : undefined;
    try {
      while (!this.#answered && !this.#ended) await this.#changed.rung();
      if (this.#error && !this.#answered) throw this.#error;
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * Waits for the next message. Undefined: the daemon has ended the stream.
   *
   * @throws ServiceError: the stream was refused, or broke
   */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const bytes = this.#stream.read() as Buffer | null;
      if (bytes) return this.#decode(bytes);
      if (this.#error) throw this.#error;
      if (this.#ended) return undefined;
      await this.#changed.rung();
    }
  }

  /** The same of a stream that has no end, so that one which ends is broken. */
  async nextOfEndless(): Promise<Message> {
    const message = await this.next();
    if (message === undefined) throw madeStatus(status.UNAVAILABLE, "the daemon closed the stream");
    return message;
  }

  /** Ends the stream. */
  cancel(): void {
    this.#stream.cancel();
  }

  #late(): void {
    this.#end(madeStatus(status.DEADLINE_EXCEEDED, "no answer in time"));
    this.#stream.cancel();
  }

  #end(error?: ServiceError): void {
    this.#ended = true;
    this.#error ??= error;
    this.#changed.ring();
  }
}
