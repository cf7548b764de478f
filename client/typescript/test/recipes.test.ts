/** The recipes of docs/libraries.md run as they stand. */

import { AuthKey } from "@sessiond/client";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";

import { Daemon, needsDaemon } from "./support/daemon.js";
import { madeUpKey } from "./support/telegram.js";

const run = promisify(execFile);
const DOCUMENT = join(__dirname, "..", "..", "..", "docs", "libraries.md");

/** In place of a connection, which these libraries would not go on without. */
function unconnected(library: string): string {
  return `import { MTProtoSender } from "${library}/network/index.js";
    MTProtoSender.prototype.connect = async () => true;
    MTProtoSender.prototype.send = async () => undefined;`;
}

/** The same for mtcute, which tries again in the background. */
const neverConnected = `import { TcpTransport } from "@mtcute/node";
  TcpTransport.prototype.connect = () => Promise.reject(new Error("there is no network"));`;

/** Runs a recipe, and gives the lines that it wrote. */
async function output(t: TestContext, library: string, before: string): Promise<string[]> {
  const section = (await readFile(DOCUMENT, "utf8")).split(/^## /mu).find((each) => each.startsWith(`${library}\n`));
  const [, recipe] = /```js\n(.*?)```/su.exec(section ?? "") ?? [];
  assert.ok(recipe, `docs/libraries.md has no recipe of ${library}`);
  const daemon = await Daemon.start(t);
  const dcs = [{ id: 2, auth: new AuthKey(madeUpKey(1)) }];
  const user = { id: 5n, dc: 2, bot: false };
  await daemon.client(t).withHold("alice", {}, (hold) => hold.save({ dcs, user, homeDc: 2 }));
  const file = join(__dirname, `recipe-${library}.mjs`);
  await writeFile(file, `${before}\nconst [apiId, apiHash] = [1, "hash"];\n${recipe}`);
  const env = { ...process.env, SESSIOND_SOCKET: daemon.socket };
  const { stdout } = await run(process.execPath, [file], { env, timeout: 30_000 });
  assert.equal((await daemon.client(t).load("alice")).holder, undefined);
  return stdout.split("\n");
}

test("GramJS", { skip: needsDaemon }, async (t) => {
  assert.ok((await output(t, "GramJS", unconnected("telegram"))).includes("2"));
});

test("teleproto", { skip: needsDaemon }, async (t) => {
  assert.ok((await output(t, "teleproto", unconnected("teleproto"))).includes("2"));
});

test("mtcute", { skip: needsDaemon }, async (t) => {
  assert.ok((await output(t, "mtcute", neverConnected)).includes("2"));
});
