/** The package as users get it: packed, installed into a project of its own (`make install INTO=build/installed`). */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Daemon, needsDaemon } from "./support/daemon.js";

const run = promisify(execFile);
const PROJECT = join(__dirname, "installed", "typescript");
const README = join(__dirname, "..", "README.md");

/** Runs a program in the project, and gives what it wrote. */
async function output(file: string, program: string, socket = ""): Promise<string> {
  await writeFile(join(PROJECT, file), program);
  const environment = { ...process.env, SESSIOND_SOCKET: socket };
  const { stdout } = await run(process.execPath, [file], { cwd: PROJECT, env: environment, timeout: 30_000 });
  return stdout;
}

test("import and require give the same classes", async () => {
  const program = `import { createRequire } from "node:module";
    import * as imported from "@sessiond/client";
    const required = createRequire(import.meta.url)("@sessiond/client");
    const names = Object.keys(required);
    console.log(names.length > 20 && names.every((name) => imported[name] === required[name]));`;
  assert.equal(await output("both.mjs", program), "true\n");
  assert.equal(await output("required.cjs", `console.log(typeof require("@sessiond/client").connect)`), "function\n");
});

test("programs of either kind are checked against its types", async () => {
  const program = `import { connect, Lost, type Hold, type WatchEvent } from "@sessiond/client";
    export async function advance(hold: Hold): Promise<bigint> {
      return hold.advance({ pts: 1, channels: [{ id: 5n, pts: 2 }] }, { expectedRevision: 3n, signal: hold.signal });
    }
    export const told = (event: WatchEvent): bigint => (event.type === "advanced" ? event.previousRevision : 0n);
    export const reason = (error: unknown): string => (error instanceof Lost ? error.reason : "");
    export const revision: Promise<bigint> = connect().withHold("alice", { wait: true }, advance);`;
  const files = ["program.mts", "program.cts"];
  for (const file of files) await writeFile(join(PROJECT, file), program);
  const tsc = join(__dirname, "..", "node_modules", "typescript", "bin", "tsc");
  const types = ["--types", "node", "--typeRoots", join(__dirname, "..", "node_modules", "@types")];
  await run(
    process.execPath,
    [tsc, "--ignoreConfig", "--noEmit", "--strict", "--module", "nodenext", ...types, ...files],
    { cwd: PROJECT },
  );
});

test("the package has what it needs, and nothing else", async () => {
  const installed = await readdir(join(PROJECT, "node_modules", "@sessiond", "client"));
  assert.deepEqual(installed.sort(), ["README.md", "dist", "package.json"]);
});

test("the README's examples run as they stand, one after the other", { skip: needsDaemon }, async (t) => {
  const blocks = [...(await readFile(README, "utf8")).matchAll(/```js\n(.*?)```\n\n```text\n(.*?)```/gsu)];
  assert.equal(blocks.length, 3);
  const daemon = await Daemon.start(t);
  for (const [at, [, program = "", expected]] of blocks.entries()) {
    assert.equal(await output(`example-${at}.mjs`, program, daemon.socket), expected);
  }
});
