/** Sessions as messages, and back. */

import type * as v1 from "./gen/sessiond/v1/session.js";
import type { LoadResponse, LostReason as WireLostReason, SaveClear } from "./gen/sessiond/v1/session_service.js";
import { InvalidArgument, type LostReason, Unexpected } from "./error.js";
import { AuthKey } from "./secret.js";
import type { Change, Clear, DataCenter, Loaded, Session } from "./session.js";

/** Version of the messages' meaning. */
const VERSION = 1;

/** A session to be written. A key that is withheld is left out. */
export function sessionToWire({ dcs, user, state, homeDc, testMode }: Session): v1.Session {
  return { version: VERSION, dcs: dcs.map(dcToWire), user, state, homeDc, testMode };
}

/**
 * A session to be written as it is.
 *
 * @throws InvalidArgument: a key in it is withheld, and the daemon would take that for one to be forgotten
 */
export function wholeSessionToWire(session: Session): v1.Session {
  const withheld = session.dcs.find((dc) => dc.hasAuth === true && !dc.auth);
  if (withheld) {
    throw new InvalidArgument("INVALID_SESSION", `dcs[id=${withheld.id}].auth: was withheld, so it would be lost`);
  }
  return sessionToWire(session);
}

/** @throws Unexpected: it is one of a later version, which cannot be understood here */
export function sessionFromWire({ version, dcs, ...rest }: v1.Session): Session {
  if (version > VERSION) throw new Unexpected(`a session of version ${version}, and only ${VERSION} is known here`);
  return { dcs: dcs.map(dcFromWire), ...rest };
}

export function loadedFromWire({ session, revision, holder }: LoadResponse): Loaded {
  return { session: session && sessionFromWire(session), revision, holder };
}

/** Field by field: a spread costs several times as much, and every advance comes through here. */
export function changeToWire({ pts, qts, date, seq, channels = [], removedChannels = [] }: Change): v1.StateChange {
  return { pts, qts, date, seq, channels, removedChannels };
}

export function clearToWire(clear: Clear | undefined): SaveClear | undefined {
  return clear && { authDcs: [], allAuth: false, user: false, state: false, channels: false, ...clear };
}

/** Unspecified is a hold that ran out. */
export function lostReasonFromWire(reason: WireLostReason): LostReason {
  switch (reason) {
    case "LOST_REASON_ENDED_BY_ADMIN":
      return "ENDED_BY_ADMIN";
    case "LOST_REASON_RESUMED_ELSEWHERE":
      return "RESUMED_ELSEWHERE";
    default:
      return "FENCED";
  }
}

function dcToWire({ id, ipv4Addr, ipv6Addr, auth, hasAuth = false }: DataCenter): v1.DataCenter {
  return { id, ipv4Addr, ipv6Addr, auth: auth && Buffer.from(auth.expose()), hasAuth };
}

function dcFromWire({ auth, ...rest }: v1.DataCenter): DataCenter {
  return auth && auth.length > 0 ? { ...rest, auth: new AuthKey(auth) } : rest;
}
