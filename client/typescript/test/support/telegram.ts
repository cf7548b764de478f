import { createHash } from "node:crypto";
import { on, once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** Who listens where Telegram would, and says nothing. */
export class SilentTelegram {
  readonly port: number;
  readonly #connections: AsyncIterator<[Socket]>;
  readonly #sockets: Set<Socket>;

  private constructor(port: number, connections: AsyncIterator<[Socket]>, sockets: Set<Socket>) {
    this.port = port;
    this.#connections = connections;
    this.#sockets = sockets;
  }

  static async start(test: TestContext): Promise<SilentTelegram> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    test.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const connections = on(server, "connection") as AsyncIterator<[Socket]>;
    return new SilentTelegram((server.address() as AddressInfo).port, connections, sockets);
  }

  /** How many are connected. */
  get connected(): number {
    return this.#sockets.size;
  }

  /** The first bytes that the next one sends, from its `skip`th on. */
  async nextBytes(skip: number, length: number): Promise<Buffer> {
    const next = (await this.#connections.next()) as IteratorResult<[Socket], undefined>;
    if (!next.value) throw new Error("nobody connects any more");
    const [socket] = next.value;
    let bytes: Buffer = Buffer.alloc(0);
    while (bytes.length < skip + length) {
      const [chunk] = (await once(socket, "data")) as [Buffer];
      bytes = Buffer.concat([bytes, chunk]);
    }
    return bytes.subarray(skip, skip + length);
  }
}

/** What a key is called on the wire. */
export function keyId(key: Uint8Array): Buffer {
  return createHash("sha1").update(key).digest().subarray(12, 20);
}

/** A made up key. */
export function madeUpKey(seed: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, at) => (at * 7 + seed) % 256);
}
