import { Metadata, type ServiceError, status } from "@grpc/grpc-js";

import { type ErrorInfo, readErrorInfo } from "./details.js";
import * as error from "./error.js";

/** Whether it is an error of gRPC, and not of this package or of the program. */
export function isStatus(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown && "metadata" in thrown;
}

/** An error as gRPC would make it. */
export function madeStatus(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}

/** What the daemon says of an error beside its code. Undefined: it is not the daemon's. */
export function errorInfo(failed: ServiceError): ErrorInfo | undefined {
  const [details] = failed.metadata.get("grpc-status-details-bin");
  return details instanceof Uint8Array ? readErrorInfo(details) : undefined;
}

/** Whether the deadline that the call was made with has passed. */
export function isLate(failed: ServiceError): boolean {
  return failed.code === status.DEADLINE_EXCEEDED;
}

/** Codes that gRPC makes up where there was no answer: of a connection that could not be made, or was cut. */
const CUT: readonly status[] = [status.UNAVAILABLE, status.UNKNOWN, status.CANCELLED, status.INTERNAL];

/**
 * Whether the same request may get another answer: no daemon answered, or one that starts, stops, or whose disk failed.
 */
export function isPassing(failed: ServiceError): boolean {
  const info = errorInfo(failed);
  return info ? failed.code === status.UNAVAILABLE || info.reason === "STORAGE_FAILED" : CUT.includes(failed.code);
}

/** A refusal of the daemon as this package's error. */
export function refusal(failed: ServiceError): error.SessiondError {
  const info = errorInfo(failed);
  const message = failed.details;
  switch (info?.reason) {
    case "INVALID_NAME":
      return new error.InvalidName(message);
    case "INVALID_SESSION":
    case "INVALID_PAGE_TOKEN":
    case "TOKEN_REQUIRED":
    case "REQUEST_ID_REUSED":
      return new error.InvalidArgument(info.reason, message);
    case "HELD_BY_ANOTHER":
      return heldByAnother(info);
    case "FENCED":
      return new error.Fenced();
    case "REVISION_MISMATCH":
      return new error.RevisionMismatch(BigInt(info.metadata.get("revision") ?? 0));
    case "FILE_IN_USE":
      return new error.FileInUse((info.metadata.get("pids")?.match(/\d+/gu) ?? []).map(Number), message);
    case "FOREIGN_FILE":
      return new error.ForeignFile(message);
    case "NOT_PERMITTED":
      return new error.NotPermitted(message);
    case "SESSION_DAMAGED":
      return new error.Damaged(message);
    case "LIMIT_EXCEEDED":
      return new error.LimitExceeded(message);
    case "STORAGE_FULL":
      return new error.StorageFull(message);
    case "STORAGE_FAILED":
      return new error.StorageFailed(message);
    default:
      return new error.Unexpected(message || failed.message, failed);
  }
}

/** Says in a few words why a call got no answer: without what gRPC tells of its own workings around it. */
export function noAnswer({ details }: ServiceError): string {
  return /Last error: Error: (.*?)\.? Resolution note:/u.exec(details)?.[1] ?? details;
}

/** The sequence of the refused change of an AdvanceStream, if the error has one. */
export function refusedSequence(failed: ServiceError): number | undefined {
  const sequence = errorInfo(failed)?.metadata.get("sequence");
  return sequence === undefined ? undefined : Number(sequence);
}

function heldByAnother({ metadata }: ErrorInfo): error.HeldByAnother {
  const pid = Number(metadata.get("pid") ?? 0);
  const since = new Date(metadata.get("since") ?? "");
  return new error.HeldByAnother(
    metadata.get("label") ?? "",
    pid === 0 ? undefined : pid,
    Number.isNaN(since.getTime()) ? undefined : since,
  );
}
