import { AuthKey, InvalidArgument, Token } from "@sessiond/client";
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { peerFromWire } from "../dist/peer.js";

/** All the ways in which something gets into a log by itself. */
function shown(value: unknown): string {
  const whole = inspect(value, { depth: null, showHidden: true });
  return [whole, JSON.stringify(value), String(value)].join("\n");
}

test("a key and a token are shown to nobody", () => {
  for (const secret of [new AuthKey(new Uint8Array(256).fill(171)), new Token(new Uint8Array(32).fill(171))]) {
    for (const text of [
      shown(secret),
      shown({ dcs: [{ auth: secret }] }),
      inspect(new Error("x", { cause: secret })),
    ]) {
      assert.doesNotMatch(text, /171|abab/u);
    }
  }
});

test("nobody is named where a peer is shown", () => {
  const peer = peerFromWire({
    id: 5n,
    accessHash: 17_117n,
    hasAccessHash: true,
    kind: "PEER_KIND_USER",
    usernames: { names: ["anna171"] },
    phone: "171",
    name: "Anna 171",
    extra: { "a.b": Buffer.from("171") },
  });
  assert.equal(peer.phone, "171");
  assert.doesNotMatch(shown(peer), /171/u);
  assert.match(inspect([peer]), /Peer\(5, USER\)/u);
});

test("a token reads back from its hexadecimal form", () => {
  const token = new Token(Uint8Array.from({ length: 32 }, (_, at) => at * 8));
  assert.deepEqual(Token.fromHex(token.exposeHex()).expose(), token.expose());
  for (const text of ["", "00", "0".repeat(63), "g".repeat(64)]) {
    assert.throws(() => Token.fromHex(text), InvalidArgument, text);
  }
});

test("a key has 256 bytes", () => {
  assert.throws(() => new AuthKey(new Uint8Array(255)), InvalidArgument);
  assert.ok(new AuthKey(new Uint8Array(256)).equals(new AuthKey(new Uint8Array(256))));
});
