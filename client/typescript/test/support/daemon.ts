import { type Client, connect, type ConnectOptions } from "@sessiond/client";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** The daemon to test with. */
export const SESSIOND = process.env.SESSIOND_BIN ?? "";

/** For tests that need a daemon: says why they are not run, where there is none. */
export const needsDaemon = SESSIOND === "" && "SESSIOND_BIN does not name a daemon; `make build` makes one";

/** A daemon in a directory of its own. It ends with the test. */
export class Daemon {
  readonly socket: string;
  readonly #directory: string;
  readonly #options: readonly string[];
  readonly #users: (() => Promise<unknown>)[] = [];
  #process: ChildProcess | undefined;

  private constructor(directory: string, options: readonly string[]) {
    this.#directory = directory;
    this.#options = options;
    this.socket = join(directory, "sessiond.sock");
  }

  /** Starts one, with these options of `sessiond serve` beside its own. */
  static async start(test: TestContext, ...options: string[]): Promise<Daemon> {
    const daemon = new Daemon(await mkdtemp(join(tmpdir(), "sessiond-ts-")), options);
    test.after(() => daemon.#remove());
    daemon.start();
    return daemon;
  }

  /** A client of it, which is closed with the test. */
  client(test: TestContext, options: ConnectOptions = {}): Client {
    const client = connect({ socket: this.socket, ...options });
    test.after(() => client.close());
    return client;
  }

  /** Lets somebody leave before the daemon ends with the test. */
  beforeEnd(leave: () => Promise<unknown>): void {
    this.#users.push(leave);
  }

  start(): void {
    const directory = join(this.#directory, "sessions");
    const places = ["--dir", directory, "--socket", this.socket, "--seal", `file:${join(this.#directory, "key")}`];
    const options = [...places, "--hand-over-delay", "100ms", "--log", "error"];
    this.#process = spawn(SESSIOND, ["serve", ...options, ...this.#options], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  /** Ends it, and waits until it has ended. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process?.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill(signal);
    await ended;
  }

  async #remove(): Promise<void> {
    await Promise.all(this.#users.map((leave) => leave()));
    await this.end("SIGKILL");
    await rm(this.#directory, { recursive: true });
  }
}
