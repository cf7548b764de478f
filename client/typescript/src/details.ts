import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Why the daemon refused a call: a `google.rpc.ErrorInfo` of its domain. */
export interface ErrorInfo {
  /** A value of the schema's `Reason`, without its prefix. */
  readonly reason: string;
  readonly metadata: ReadonlyMap<string, string>;
}

const DOMAIN = "sessiond";
const ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo";

/** Fields by their numbers. Of these messages, all that is of interest is text and messages, so bytes. */
type Fields = ReadonlyMap<number, readonly Uint8Array[]>;

/**
 * Reads the `ErrorInfo` in a `google.rpc.Status`, which gRPC sends as `grpc-status-details-bin`.
 *
 * @returns undefined where there is none of sessiond's
 */
export function readErrorInfo(status: Uint8Array): ErrorInfo | undefined {
  for (const detail of fields(status).get(3) ?? []) {
    const any = fields(detail);
    if (text(any, 1) !== ERROR_INFO) continue;
    const info = fields(any.get(2)?.[0] ?? new Uint8Array());
    if (text(info, 2) !== DOMAIN) continue;
    const metadata = (info.get(3) ?? []).map(fields).map((entry) => [text(entry, 1), text(entry, 2)] as const);
    return { reason: text(info, 1), metadata: new Map(metadata) };
  }
  return undefined;
}

function fields(message: Uint8Array): Fields {
  const found = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) found.set(number, [...(found.get(number) ?? []), reader.bytes()]);
    else reader.skip(type, number);
  }
  return found;
}

function text(message: Fields, number: number): string {
  return Buffer.from(message.get(number)?.[0] ?? []).toString();
}
