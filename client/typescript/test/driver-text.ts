/**
 * The scenarios' values as the package has them, and back: snake_case, 64 bits as digits, bytes as base64, times in RFC
 * 3339.
 */

import {
  type Attribute,
  AuthKey,
  type Change,
  ChangeRefused,
  FileInUse,
  HeldByAnother,
  Lost,
  type LostReason,
  type Peer,
  type PeerFilter,
  type PeerKey,
  type PeerKind,
  RevisionMismatch,
  type Session,
  SessiondError,
  Token,
  type WatchEvent,
  type WatchPosition,
  type WriteOptions,
} from "@sessiond/client";

type Json = Record<string, unknown>;

/** A value as JSON has it. What is undefined is left out. */
export function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (value instanceof AuthKey) return base64(value.expose());
  if (value instanceof Uint8Array) return base64(value);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [snakeCased(key), plain(item)]));
}

/** What of it is there. */
export function optional<Options extends object>(values: { [Key in keyof Options]?: unknown }): Options {
  const present = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Options;
}

export function camelCased(value: unknown): object | undefined {
  if (value === undefined) return undefined;
  const camel = (key: string): string => key.replace(/_(\w)/gu, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(value as Json).map(([key, item]) => [camel(key), item]));
}

export function session(session: Session): object {
  return { version: 1, ...session };
}

export function readSession(value: unknown): Session {
  const { dcs = [], user, state, home_dc: homeDc, test_mode: testMode } = value as Json;
  return {
    dcs: (dcs as Json[]).map((dc) => {
      const { auth, ...rest } = dc;
      return { ...camelCased(rest), ...optional<Json>({ auth: auth === undefined ? auth : new AuthKey(bytes(auth)) }) };
    }),
    ...optional<Json>({
      user: user && readUser(user as Json),
      state: state && readState(state as Json),
      homeDc,
      testMode,
    }),
  } as unknown as Session;
}

export function readChange(value: unknown): Change {
  const { date, channels, removed_channels: removed, ...counters } = value as Json;
  return {
    ...counters,
    ...optional<Change>({
      date: date === undefined ? date : BigInt(date as string),
      channels: channels && readChannels(channels),
      removedChannels: (removed as string[] | undefined)?.map(BigInt),
    }),
  };
}

export function writeOptions({ expected_revision: expected, request_id: requestId }: Json): WriteOptions {
  return optional<WriteOptions>({
    expectedRevision: expected === undefined ? expected : BigInt(expected as string),
    requestId,
  });
}

export function readPosition(value: unknown): WatchPosition | undefined {
  if (value === undefined) return undefined;
  const { revision, store_id: storeId = "" } = value as Json;
  return { revision: BigInt(revision as string), storeId: storeId as string };
}

export function event(told: WatchEvent): object {
  const { type, ...rest } = told;
  const content = "session" in rest && rest.session ? { ...rest, session: session(rest.session) } : rest;
  return { event: snakeCased(type), ...content };
}

export function token(value: string): Token {
  return new Token(bytes(value));
}

export function peer(peer: Peer): object {
  const { usernames, kind = "UNSPECIFIED", extra = {}, ...rest } = peer;
  return {
    ...rest,
    kind,
    hasAccessHash: peer.accessHash !== undefined,
    usernames: usernames && { names: usernames },
    extra: new Map(Object.entries(extra)),
  };
}

export function readPeer(value: unknown): Peer {
  const { id, access_hash: accessHash, seen, usernames, extra, kind, ...rest } = value as Json;
  const values = Object.entries((extra ?? {}) as Record<string, string>).map(([key, item]) => [key, bytes(item)]);
  return {
    id: BigInt(id as string),
    ...camelCased(rest),
    ...optional<Partial<Peer>>({
      accessHash: accessHash === undefined ? accessHash : BigInt(accessHash as string),
      seen: seen === undefined ? seen : BigInt(seen as string),
      usernames: usernames === undefined ? usernames : ((usernames as Json).names ?? []),
      kind: kind === "UNSPECIFIED" ? undefined : kind,
    }),
    extra: Object.fromEntries(values) as Record<string, Uint8Array>,
  };
}

export function readPeerKey(value: unknown): PeerKey {
  const { id, ...rest } = camelCased(value) as Json;
  return (id === undefined ? rest : { id: BigInt(id as string) }) as PeerKey;
}

export function readPeerFilter({ kinds, after_id: afterId, seen_after: seenAfter }: Json): PeerFilter {
  return optional<PeerFilter>({
    kinds: (kinds as string[] | undefined)?.map((kind) => (kind === "UNSPECIFIED" ? undefined : (kind as PeerKind))),
    afterId: afterId === undefined ? afterId : BigInt(afterId as string),
    seenAfter: seenAfter === undefined ? seenAfter : BigInt(seenAfter as string),
  });
}

export function readAttribute(value: unknown): Attribute {
  const { value: content, ...rest } = value as Json;
  return { ...(rest as { key: string }), value: bytes(content ?? "") };
}

/** As plain objects: attributes that were read hide their values from JSON. */
export function attributes(found: readonly Attribute[]): object[] {
  return found.map((attribute) => ({ ...attribute }));
}

export function lostReason(reason: unknown): LostReason {
  return reason instanceof Lost ? reason.reason : "FENCED";
}

/** An error by its reason, with its fields. */
export function error(thrown: unknown): object {
  if (!(thrown instanceof SessiondError)) return { reason: "UNEXPECTED", message: String(thrown) };
  const reason = thrown.code;
  if (thrown instanceof Lost) return { reason, lost: thrown.reason };
  if (thrown instanceof HeldByAnother) return { reason, label: thrown.label, pid: thrown.pid, since: thrown.since };
  if (thrown instanceof RevisionMismatch) return { reason, current: thrown.current };
  if (thrown instanceof FileInUse) return { reason, pids: thrown.pids };
  if (thrown instanceof ChangeRefused) return { reason, sequence: thrown.sequence, refusal: error(thrown.refusal) };
  return { reason };
}

function readUser({ id, ...rest }: Json): object {
  return { ...rest, id: BigInt((id ?? 0) as string) };
}

function readState({ pts = 0, qts = 0, seq = 0, date = 0, channels = [] }: Json): object {
  return { pts, qts, seq, date: BigInt(date as string), channels: readChannels(channels) };
}

function readChannels(channels: unknown): { id: bigint; pts: number }[] {
  return (channels as Json[]).map(({ id, pts = 0 }) => ({ id: BigInt((id ?? 0) as string), pts: pts as number }));
}

function snakeCased(key: string): string {
  return key.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}

function base64(value: Uint8Array): string {
  return Buffer.from(value).toString("base64");
}

function bytes(value: unknown): Uint8Array {
  return Buffer.from(value as string, "base64");
}
