import { isIP } from "node:net";

import type { AuthKey } from "../secret.js";
import type { DataCenter, Session } from "../session.js";
import { type Endpoint, endpointFromText, isTestServer, usualEndpoint } from "./data-centers.js";

/** The home data center of a session that does not tell: libraries begin there. */
const FIRST_HOME = 2;

/** A session's home data center: as it says, else its user's. Undefined: nothing tells. */
export function knownHome({ homeDc, user }: Session): number | undefined {
  return homeDc ?? (user && user.dc > 0 ? user.dc : undefined);
}

/** The home data center, also of a session that does not tell it. */
export function homeOf(session: Session): number {
  return knownHome(session) ?? FIRST_HOME;
}

/** The key of the home data center. Undefined: nobody can be logged in. */
export function homeKey(session: Session): AuthKey | undefined {
  const home = homeOf(session);
  return session.dcs.find(({ id }) => id === home)?.auth;
}

/** The address of the home data center that was written. Undefined: none was. */
export function writtenEndpoint(session: Session): Endpoint | undefined {
  const home = homeOf(session);
  const dc = session.dcs.find(({ id }) => id === home);
  const text = dc?.ipv4Addr ?? dc?.ipv6Addr;
  return text === undefined ? undefined : endpointFromText(text);
}

/** The address of the home data center: as it was written, else Telegram's own. */
export function homeEndpoint(session: Session): Endpoint | undefined {
  return writtenEndpoint(session) ?? usualEndpoint(homeOf(session), session.testMode === true);
}

/** What a session is told of a new home data center. A host name has no place in a session, and is left out. */
export function movedHome(id: number, { address, port }: Endpoint, test: boolean | undefined): Session {
  const testMode = test ?? (isTestServer(address) || undefined);
  return { dcs: [dcAt(id, `${address}:${port}`, isIP(address))], homeDc: id, testMode };
}

function dcAt(id: number, text: string, family: number): DataCenter {
  if (family === 4) return { id, ipv4Addr: text };
  return family === 6 ? { id, ipv6Addr: text } : { id };
}
