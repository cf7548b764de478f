import type { Clear, DataCenter, Session } from "../session.js";

/** What is to be added to a session, after something was forgotten. */
export interface Save {
  readonly session: Session;
  readonly clear?: Clear | undefined;
}

/** Saves in their order, as few as have the same effect. */
export class Saves {
  #queued: Save[] = [];

  get isEmpty(): boolean {
    return this.#queued.length === 0;
  }

  push(save: Save): void {
    const last = this.#queued.at(-1);
    // What is forgotten is forgotten before anything is added, so that two become one only where the later forgets nothing.
    if (!last || save.clear) this.#queued.push(save);
    else this.#queued[this.#queued.length - 1] = { session: joined(last.session, save.session), clear: last.clear };
  }

  shift(): Save | undefined {
    return this.#queued.shift();
  }

  /** Puts back one that was not sent. */
  unshift(save: Save): void {
    this.#queued.unshift(save);
  }
}

/** What adding one session and then another comes to. */
function joined(earlier: Session, later: Session): Session {
  const dcs = new Map(earlier.dcs.map((dc) => [dc.id, dc]));
  for (const dc of later.dcs) dcs.set(dc.id, joinedDc(dcs.get(dc.id), dc));
  return {
    dcs: [...dcs.values()],
    user: later.user ?? earlier.user,
    homeDc: later.homeDc ?? earlier.homeDc,
    testMode: later.testMode ?? earlier.testMode,
  };
}

function joinedDc(earlier: DataCenter | undefined, later: DataCenter): DataCenter {
  return {
    id: later.id,
    ipv4Addr: later.ipv4Addr ?? earlier?.ipv4Addr,
    ipv6Addr: later.ipv6Addr ?? earlier?.ipv6Addr,
    auth: later.auth ?? earlier?.auth,
  };
}
