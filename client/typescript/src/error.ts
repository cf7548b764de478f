import type { ServiceError } from "@grpc/grpc-js";

/** What a daemon's `INVALID_ARGUMENT` is about. */
export type InvalidReason = "INVALID_SESSION" | "INVALID_PAGE_TOKEN" | "TOKEN_REQUIRED" | "REQUEST_ID_REUSED";

/**
 * Why a hold ended without a release: `FENCED`, its token is not the current one any more, since its time to come back
 * was over or another holds the session by now; `ENDED_BY_ADMIN`, an operator ended it; `RESUMED_ELSEWHERE`, another
 * stream goes on with it, by its token.
 */
export type LostReason = "FENCED" | "ENDED_BY_ADMIN" | "RESUMED_ELSEWHERE";

/** Why a call did not go through. Each reason is a class of its own, and a `code`; the texts are for people. */
export abstract class SessiondError extends Error {
  /**
   * The reason, as the schema's `Reason` names it; and `LOST`, `UNAVAILABLE`, `CHANGE_REFUSED`, `CLOSED`, `UNEXPECTED`.
   */
  abstract readonly code: string;

  override get name(): string {
    return this.constructor.name;
  }
}

/** The text is not a session's name. Nothing was sent. */
export class InvalidName extends SessiondError {
  readonly code = "INVALID_NAME";
}

/** An argument was refused. */
export class InvalidArgument extends SessiondError {
  /** @param reason which rule the argument broke */
  constructor(
    readonly reason: InvalidReason,
    message: string,
  ) {
    super(message);
  }

  get code(): InvalidReason {
    return this.reason;
  }
}

/** Another client holds the session. Wait for it (`hold(name, { wait: true })`), or end that client. */
export class HeldByAnother extends SessiondError {
  readonly code = "HELD_BY_ANOTHER";

  /**
   * @param label what the holder calls itself; may be empty
   * @param pid its process id, where that is known
   * @param since since when it holds the session
   */
  constructor(
    readonly label: string,
    readonly pid: number | undefined,
    readonly since: Date | undefined,
  ) {
    const who = label || (pid === undefined ? "another client" : `process ${pid}`);
    super(`${who}${label && pid !== undefined ? ` (process ${pid})` : ""} holds the session`);
  }
}

/** The token that was given is not that of the current hold. Stop using the keys. */
export class Fenced extends SessiondError {
  readonly code = "FENCED";

  constructor() {
    super("the token is not that of the session's current hold");
  }
}

/** The hold was lost. Stop using the keys; every call with this hold fails so. */
export class Lost extends SessiondError {
  readonly code = "LOST";

  /**
   * @param session the session's name
   * @param reason why
   */
  constructor(
    readonly session: string,
    readonly reason: LostReason,
  ) {
    super(`the hold of ${session} was lost: ${WHY_LOST[reason]}`);
  }
}

const WHY_LOST: Record<LostReason, string> = {
  FENCED: "its token is not the current one any more",
  ENDED_BY_ADMIN: "an operator ended it",
  RESUMED_ELSEWHERE: "another stream goes on with it",
};

/** The session is not at the expected revision. Nothing was changed. */
export class RevisionMismatch extends SessiondError {
  readonly code = "REVISION_MISMATCH";

  /** @param current the revision at which the session is */
  constructor(readonly current: bigint) {
    super(`the session is at revision ${current}, not at the expected one`);
  }
}

/** Another program has the session's file open. */
export class FileInUse extends SessiondError {
  readonly code = "FILE_IN_USE";

  /** @param pids process ids of that program, where they are known */
  constructor(
    readonly pids: readonly number[],
    message: string,
  ) {
    super(message);
  }
}

/** The session's file is not as the daemon left it: settle it (`settleMirror`). */
export class ForeignFile extends SessiondError {
  readonly code = "FOREIGN_FILE";
}

/** The caller may not do this. */
export class NotPermitted extends SessiondError {
  readonly code = "NOT_PERMITTED";
}

/** The session's data cannot be read; the message says what to do. */
export class Damaged extends SessiondError {
  readonly code = "SESSION_DAMAGED";
}

/** A limit of the daemon is reached; the message names it. */
export class LimitExceeded extends SessiondError {
  readonly code = "LIMIT_EXCEEDED";
}

/** The daemon's disk is full. Nothing was changed. */
export class StorageFull extends SessiondError {
  readonly code = "STORAGE_FULL";
}

/** The daemon's disk failed until the deadline passed, and it is not known whether the write went through. */
export class StorageFailed extends SessiondError {
  readonly code = "STORAGE_FAILED";
}

/** No daemon answered until the deadline passed. Whether a write went through is not known. */
export class Unavailable extends SessiondError {
  readonly code = "UNAVAILABLE";

  /**
   * @param socket where the daemon was looked for
   * @param detail what came instead of an answer
   */
  constructor(
    readonly socket: string,
    detail: string,
  ) {
    super(
      `no daemon answers at ${socket} (${detail}); start one with \`sessiond serve\`, ` +
        "or for a command alone with `sessiond run -- COMMAND`, or name its socket in SESSIOND_SOCKET",
    );
  }
}

/** A change of a stream of them was refused; it and those after it were not applied. */
export class ChangeRefused extends SessiondError {
  readonly code = "CHANGE_REFUSED";

  /**
   * @param sequence the change's sequence, as `push` told it
   * @param refusal why; also the error's `cause`
   */
  constructor(
    readonly sequence: bigint,
    readonly refusal: SessiondError,
  ) {
    super(`change ${sequence} of the stream was refused: ${refusal.message}`, { cause: refusal });
  }
}

/** The client was closed, and its calls with it. Whether a write that was under way went through is not known. */
export class Closed extends SessiondError {
  readonly code = "CLOSED";

  constructor() {
    super("the client is closed");
  }
}

/** The daemon, or whatever answers in its place, said something that this version does not understand. */
export class Unexpected extends SessiondError {
  readonly code = "UNEXPECTED";

  /** @param cause gRPC's error, where there is one */
  constructor(message: string, cause?: ServiceError) {
    super(message, cause && { cause });
  }
}
