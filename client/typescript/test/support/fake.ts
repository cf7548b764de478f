import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type Client, connect, type ConnectOptions } from "@sessiond/client";
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import type * as v1 from "../../dist/gen/sessiond/v1/session_service.js";
import { SessionServiceService } from "../../dist/gen/sessiond/v1/session_service.js";

/** What the fake answers with: an error as the daemon makes it. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** A call that has one answer. */
export interface UnaryCall<Request, Answer> {
  readonly request: Request;
  answer(answer: Answer): void;
  refuse(refusal: Refusal): void;
}

/** A call whose answers are a stream. */
export type StreamCall<Request, Answer> = ServerWritableStream<Request, Answer>;

/** The methods that the tests play. */
interface Calls {
  hold: StreamCall<v1.HoldRequest, v1.HoldResponse>;
  release: UnaryCall<v1.ReleaseRequest, v1.ReleaseResponse>;
  load: UnaryCall<v1.LoadRequest, v1.LoadResponse>;
  save: UnaryCall<v1.SaveRequest, v1.SaveResponse>;
  advance: UnaryCall<v1.AdvanceRequest, v1.AdvanceResponse>;
  delete: UnaryCall<v1.DeleteRequest, v1.DeleteResponse>;
  list: UnaryCall<v1.ListRequest, v1.ListResponse>;
  watch: StreamCall<v1.WatchRequest, v1.WatchResponse>;
  advanceStream: ServerDuplexStream<v1.AdvanceStreamRequest, v1.AdvanceStreamResponse>;
}

/** A daemon that the test plays: it is handed every call, and answers when and what it likes. */
export class Fake {
  readonly socket: string;
  readonly #directory: string;
  #server = new Server();
  #calls: { method: string; call: unknown }[] = [];
  #arrived: () => void = () => undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.socket = join(directory, "fake.sock");
  }

  static async start(test: TestContext): Promise<Fake> {
    const fake = new Fake(await mkdtemp(join(tmpdir(), "sessiond-fake-")));
    test.after(async () => {
      fake.#server.forceShutdown();
      await rm(fake.#directory, { recursive: true });
    });
    await fake.restart();
    return fake;
  }

  /** A client of it, which is closed with the test. */
  client(test: TestContext, options: ConnectOptions = {}): Client {
    const client = connect({ socket: this.socket, ...options });
    test.after(() => client.close());
    return client;
  }

  /** Cuts every connection, and serves anew. */
  async restart(): Promise<void> {
    this.kill();
    this.#calls = [];
    this.#server = new Server();
    this.#server.addService(SessionServiceService, this.#service());
    await new Promise<void>((resolve, reject) => {
      const bound = (error: Error | null): void => {
        if (error) reject(error);
        else resolve();
      };
      this.#server.bindAsync(`unix:${this.socket}`, ServerCredentials.createInsecure(), bound);
    });
  }

  /** Cuts every connection, and serves no more. */
  kill(): void {
    this.#server.forceShutdown();
  }

  /** The next call, which is of this method. */
  async call<Method extends keyof Calls>(method: Method): Promise<Calls[Method]> {
    while (this.#calls.length === 0) await new Promise<void>((arrived) => (this.#arrived = arrived));
    const next = this.#calls.shift();
    assert.equal(next?.method, method);
    return next.call as Calls[Method];
  }

  #take(method: string, call: unknown): void {
    this.#calls.push({ method, call });
    this.#arrived();
  }

  #service(): UntypedServiceImplementation {
    const service: UntypedServiceImplementation = {};
    for (const [method, { responseStream }] of Object.entries(SessionServiceService)) {
      service[method] = responseStream
        ? (call: StreamCall<unknown, unknown>) => {
            // As the daemon does, it answers before there is anything to tell.
            call.sendMetadata(new Metadata());
            call.on("error", () => undefined);
            this.#take(method, call);
          }
        : ({ request }: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>) =>
            this.#take(method, {
              request,
              answer: (answer: unknown) => callback(null, answer),
              refuse: (refusal: Refusal) => callback(refusal),
            });
    }
    return service;
  }
}

/** Waits for the next request of a stream in both directions. */
export async function nextRequest<Request>(call: ServerDuplexStream<Request, unknown>): Promise<Request> {
  const [request] = (await once(call, "data")) as [Request];
  return request;
}

/** An error as the daemon makes it. */
export function refusal(code: status, reason: string, metadata: Record<string, string> = {}): Refusal {
  const info = new BinaryWriter().uint32(10).string(reason).uint32(18).string("sessiond");
  for (const [key, value] of Object.entries(metadata)) {
    info.uint32(26).bytes(new BinaryWriter().uint32(10).string(key).uint32(18).string(value).finish());
  }
  const any = new BinaryWriter()
    .uint32(10)
    .string("type.googleapis.com/google.rpc.ErrorInfo")
    .uint32(18)
    .bytes(info.finish());
  const whole = new BinaryWriter().uint32(8).int32(code).uint32(26).bytes(any.finish()).finish();
  const trailer = new Metadata();
  trailer.set("grpc-status-details-bin", Buffer.from(whole));
  return { code, details: "the test refuses", metadata: trailer };
}

/** An answer to a hold, with a token whose bytes are all this one. */
export function granted(fence: bigint, byte = 171): v1.HoldResponse {
  const value = { token: Buffer.alloc(32, byte), fence, revision: 0n };
  return { event: { $case: "granted", value } };
}
