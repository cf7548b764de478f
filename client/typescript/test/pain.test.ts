/** What goes wrong with the libraries' own files, and how the same program fares on sessiond: docs/libraries.md has the table. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, test, type TestContext } from "node:test";

import { Daemon, needsDaemon } from "./support/daemon.js";
import { Program } from "./support/programs.js";

const libraries = process.env.SESSIOND_TEST_LIBRARIES ?? "";

/** For tests with mtcute's own file: says why they are not run, where that cannot be. */
function needsSqlite(): string | false {
  if (existsSync(join(libraries, "node", "node_modules", "better-sqlite3"))) return needsDaemon;
  assert.notEqual(process.env.CI, "true", "SESSIOND_TEST_LIBRARIES has no mtcute with its SQLite");
  return "SESSIOND_TEST_LIBRARIES has no mtcute with its SQLite; `make libraries` installs it";
}

/** A folder that goes with the test. */
async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "sessiond-pain-"));
  t.after(() => rm(made, { recursive: true }));
  return made;
}

/** Starts programs of a library on a file of its own. */
async function onFile(t: TestContext, library: string): Promise<() => Program> {
  // A StoreSession is where the program is.
  const file = relative(process.cwd(), join(await folder(t), "alice"));
  return () => Program.start(t, "pain-program", library, "file", file);
}

/** Starts them on sessiond. */
async function onSessiond(t: TestContext, library: string): Promise<() => Program> {
  const { socket } = await Daemon.start(t);
  return () => Program.startIn({ ...process.env, SESSIOND_SOCKET: socket }, t, "pain-program", library, "sessiond");
}

for (const library of ["telegram", "teleproto"]) {
  describe(library, { skip: needsDaemon, concurrency: true }, () => {
    test("two processes on a StoreSession use one key, and store it for the other's data center", async (t) => {
      const start = await onFile(t, library);
      const first = start();
      await first.do("load");
      await first.do("login 2 1");
      const second = start();
      // Telegram answers this with AUTH_KEY_DUPLICATED, and the key is gone.
      assert.deepEqual(await second.do("load"), [2, 1]);
      await first.do("login 4 4");
      await second.do("use 3");
      // What data center 4 has never heard of.
      assert.deepEqual(await start().do("load"), [4, 3]);
    });

    test("on sessiond the second waits, and has the key of its data center", async (t) => {
      const start = await onSessiond(t, library);
      const first = start();
      await first.do("load");
      await first.do("login 2 1");
      const second = start();
      second.say("load");
      await first.do("login 4 4");
      await first.do("close");
      assert.deepEqual(await second.answer(), [4, 4]);
    });

    test("a program that is killed in the midst of a move leaves a StoreSession with a key of elsewhere", async (t) => {
      const left: unknown[] = [];
      for (const start of [await onFile(t, library), await onSessiond(t, library)]) {
        const first = start();
        await first.do("load");
        await first.do("login 2 1");
        await first.do("move 4");
        first.kill();
        left.push(await start().do("load"));
      }
      // The move on sessiond may not have been written yet.
      assert.deepEqual(left[0], [4, 1]);
      assert.ok(["[2,1]", "[4,null]"].includes(JSON.stringify(left[1])), JSON.stringify(left[1]));
    });

    test("a string knows nothing of what came after it, and a StoreSession no usernames", async (t) => {
      const first = Program.start(t, "pain-program", library, "string", "");
      await first.do("load");
      await first.do("login 2 1");
      const exported = await first.do("text");
      assert.equal(typeof exported, "string");
      const left: unknown[] = [];
      const onString = () => Program.start(t, "pain-program", library, "string", exported as string);
      for (const start of [onString, await onFile(t, library), await onSessiond(t, library)]) {
        const program = start();
        await program.do("load");
        await program.do("login 4 4");
        await program.do("meet 50");
        program.kill();
        const next = start();
        left.push([await next.do("load"), await next.do("known 50")]);
      }
      assert.deepEqual(left, [
        [[2, 1], 0],
        [[4, 4], 0],
        [[4, 4], 50],
      ]);
    });
  });
}

describe("mtcute", { skip: needsSqlite(), concurrency: true }, () => {
  test("two processes on its SQLite use one key, and one sets back the counter of the other", async (t) => {
    const start = await onFile(t, "mtcute");
    const first = start();
    await first.do("login 2 1");
    await first.do("see 10");
    const second = start();
    // Telegram answers this with AUTH_KEY_DUPLICATED, and the key is gone.
    assert.equal(await second.do("load"), 1);
    await first.do("see 500");
    await second.do("see 20");
    assert.equal(await first.do("pts"), 20);
  });

  test("on sessiond the second waits, and goes on from the counter of the first", async (t) => {
    const start = await onSessiond(t, "mtcute");
    const first = start();
    await first.do("login 2 1");
    await first.do("see 10");
    const second = start();
    second.say("load");
    await first.do("see 500");
    await first.do("close");
    assert.equal(await second.answer(), 1);
    assert.equal(await second.do("pts"), 500);
  });

  test("what it saved outlasts a kill in both", async (t) => {
    for (const start of [await onFile(t, "mtcute"), await onSessiond(t, "mtcute")]) {
      const first = start();
      await first.do("login 2 1");
      await first.do("see 500");
      await first.do("meet 50");
      first.kill();
      const next = start();
      assert.deepEqual([await next.do("load"), await next.do("pts"), await next.do("known 50")], [1, 500, 50]);
    }
  });
});
