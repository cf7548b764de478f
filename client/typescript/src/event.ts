import type { RestartReason as WireRestartReason, WatchResponse } from "./gen/sessiond/v1/session_service.js";
import type { Holder, StateChange } from "./gen/sessiond/v1/session.js";
import type { LostReason } from "./error.js";
import type { Session } from "./session.js";
import { lostReasonFromWire, sessionFromWire } from "./wire.js";

/**
 * Why a watch starts over: `FIRST`, it is new, or broke before it was synced; `LOG_TRIMMED`, the daemon's log no longer
 * has what came after the position; `OTHER_STORE`, the store is another, or the position is not one of its own;
 * `LAGGED`, the watch fell so far behind that the log no longer had its place; `UNKNOWN`, one that this version does
 * not know.
 */
export type RestartReason = "FIRST" | "LOG_TRIMMED" | "OTHER_STORE" | "LAGGED" | "UNKNOWN";

/** Something that happened, or how things stand. No session in it has keys. */
export type WatchEvent = Restarted | Snapshot | Synced | Bookmark | Commit;

/** The watch starts over: forget everything. What has no snapshot after this does not exist. */
export interface Restarted {
  readonly type: "restarted";
  readonly reason: RestartReason;
}

/** A session as it is. They come between restarted and synced. */
export interface Snapshot {
  readonly type: "snapshot";
  readonly name: string;
  /** The session's revision. 0: it is held, and has no data. */
  readonly revision: bigint;
  /** Undefined: it is held, and has no data. */
  readonly session: Session | undefined;
  /** Undefined: nobody holds it. */
  readonly holder: Holder | undefined;
}

/** Every selected session has had its snapshot; commits follow. */
export interface Synced {
  readonly type: "synced";
  /** Everything up to this revision has been told. */
  readonly revision: bigint;
  /** Identity of the store. */
  readonly storeId: string;
}

/** Nothing else happened up to this revision. */
export interface Bookmark {
  readonly type: "bookmark";
  readonly revision: bigint;
}

/** A commit. In order, each once, none left out. */
export type Commit = {
  /** The session's name. */
  readonly name: string;
  /** The commit's revision. */
  readonly revision: bigint;
  /** The session's revision before it. 0: there was no session. */
  readonly previousRevision: bigint;
  /** When it was made. */
  readonly time: Date | undefined;
} & (
  | /** The session's counters were set. */ { readonly type: "advanced"; readonly change: StateChange }
  | /** It was saved; this is all of it, without keys. */ { readonly type: "saved"; readonly session: Session }
  | /** It was deleted. */ { readonly type: "deleted" }
  | HoldChanged
  | /** Something that this version does not know. */ { readonly type: "unknown" }
);

/** A hold of the session began or ended. The session's revision did not move. */
export interface HoldChanged {
  readonly type: "holdChanged";
  /** Who holds the session now. Undefined: nobody. */
  readonly holder: Holder | undefined;
  /** Why the hold before it ended, if somebody ended it. */
  readonly reason: LostReason | undefined;
}

export function eventFromWire(response: WatchResponse): WatchEvent {
  const { revision, name, time, event, previousRevision } = response;
  const commit = { name, revision, previousRevision, time };
  switch (event?.$case) {
    case "restarted":
      return { type: "restarted", reason: restartReasonFromWire(event.value.reason) };
    case "snapshot": {
      const { session, holder } = event.value;
      return { type: "snapshot", name, revision, session: session && sessionFromWire(session), holder };
    }
    case "synced":
      return { type: "synced", revision, storeId: event.value.storeId };
    case "bookmark":
      return { type: "bookmark", revision };
    case "change":
      return { type: "advanced", ...commit, change: event.value };
    case "saved":
      return { type: "saved", ...commit, session: sessionFromWire(event.value) };
    case "deleted":
      return { type: "deleted", ...commit };
    case "holdChanged": {
      const { holder, reason } = event.value;
      const ended = reason !== "LOST_REASON_UNSPECIFIED";
      return { type: "holdChanged", ...commit, holder, reason: ended ? lostReasonFromWire(reason) : undefined };
    }
    default:
      // What is not of a session stands for what was told up to its revision.
      return name === "" ? { type: "bookmark", revision } : { type: "unknown", ...commit };
  }
}

function restartReasonFromWire(reason: WireRestartReason): RestartReason {
  switch (reason) {
    case "RESTART_REASON_FIRST":
      return "FIRST";
    case "RESTART_REASON_LOG_TRIMMED":
      return "LOG_TRIMMED";
    case "RESTART_REASON_OTHER_STORE":
      return "OTHER_STORE";
    case "RESTART_REASON_LAGGED":
      return "LAGGED";
    default:
      return "UNKNOWN";
  }
}
