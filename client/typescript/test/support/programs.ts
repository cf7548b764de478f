/** Programs of tests, in processes of their own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";

/** A program that was started. */
export class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #error: Promise<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, error: Promise<string>) {
    this.#child = child;
    this.#lines = lines;
    this.#error = error;
  }

  /** Starts the compiled `test/FILE.ts`. */
  static start(test: TestContext, file: string, ...args: string[]): Program {
    return Program.startIn(process.env, test, file, ...args);
  }

  /** The same, in another environment. */
  static startIn(env: NodeJS.ProcessEnv, test: TestContext, file: string, ...args: string[]): Program {
    const path = join(__dirname, "..", `${file}.js`);
    const child = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "pipe"], env });
    test.after(() => child.kill("SIGKILL"));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return new Program(child, lines, text(child.stderr));
  }

  /** Tells it a line. */
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Tells it a line, and gives what it answers. */
  async do(line: string): Promise<unknown> {
    this.say(line);
    return this.answer();
  }

  /** The next line that it writes, of JSON. */
  async answer(): Promise<unknown> {
    return JSON.parse((await this.line()) ?? "null") as unknown;
  }

  /** The next line that it writes. Undefined: it writes no more. */
  async line(): Promise<string | undefined> {
    const next = (await this.#lines.next()) as IteratorResult<string, undefined>;
    return next.value;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Waits for its end. */
  async end(): Promise<{ code: number | null; error: string }> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    return { code: this.#child.exitCode, error: await this.#error };
  }
}
