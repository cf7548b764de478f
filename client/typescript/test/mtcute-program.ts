/**
 * A program with mtcute on alice. Arguments: the socket, and `reporting` for one that reports a state again and again, or
 * `unbound` for one that does not say what is to become of it when the hold is lost.
 */

import { BaseTelegramClient } from "@mtcute/node";
import { SessiondStorage } from "@sessiond/client/mtcute";

const [, , socket, mode] = process.argv;

async function main(): Promise<void> {
  const storage = await SessiondStorage.open("alice", { socket });
  const client = new BaseTelegramClient({ apiId: 1, apiHash: "", storage, logLevel: 0 });
  if (mode === "reporting") storage.bind(client);
  await client.prepare();
  console.log("held");
  const { updates } = client.storage;
  for (let pts = 1; mode === "reporting"; pts += 1) {
    await updates.setPts(pts);
    await updates.setQts(pts);
    await updates.setDate(pts);
    await updates.setSeq(pts);
    await updates.setManyChannelPts(new Map([[7, pts]]));
    await client.mt.storage.save();
    console.log(pts);
  }
}

void main();
