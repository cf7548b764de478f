/**
 * A program with mtcute on alice, in the daemon of SESSIOND_SOCKET. Its argument is where its Telegram is, which speaks the real
 * protocol: the tests of client/go/gotd start both. It logs in if nobody is, and writes what it receives until SIGINT.
 */

import { addPublicKey } from "@mtcute/core/utils.js";
import { type RawUpdateInfo, TelegramClient } from "@mtcute/node";
import { NodeCryptoProvider } from "@mtcute/node/utils.js";
import { SessiondStorage } from "@sessiond/client/mtcute";

interface Settings {
  /** The public keys of its data centers. */
  Keys: string;
  DCs: { ID: number; IPAddress: string; Port: number }[];
  /** Where it connects to log in. */
  FirstDC: number;
}

const KEY = /-----BEGIN RSA PUBLIC KEY-----.*?-----END RSA PUBLIC KEY-----/gsu;

function say({ update }: RawUpdateInfo): void {
  if (update._ === "updateNewMessage") console.log("message", update.message.id);
  if (update._ === "updateNewChannelMessage") console.log("post", update.message.id);
}

async function main({ Keys, DCs, FirstDC }: Settings): Promise<void> {
  const crypto = new NodeCryptoProvider();
  await crypto.initialize();
  for (const key of Keys.match(KEY) ?? []) addPublicKey(crypto, key);
  const first = DCs.find(({ ID }) => ID === FirstDC);
  if (first === undefined) throw new Error(`there is no data center ${FirstDC}`);
  const main = { id: first.ID, ipAddress: first.IPAddress, port: first.Port };

  const storage = await SessiondStorage.open("alice");
  const client = storage.bind(
    new TelegramClient({
      apiId: 1,
      apiHash: "hash",
      storage,
      crypto,
      logLevel: 1,
      defaultDcs: { main, media: main },
      updates: { catchUp: true },
    }),
  );
  client.onRawUpdate.add(say);
  // Not once: mtcute has a handler too, which sends the process the same signal again.
  process.on("SIGINT", () => void client.destroy());
  await client.start({ phone: "+15550001", code: "12345" });
}

void main(JSON.parse(process.argv[2] ?? "") as Settings);
