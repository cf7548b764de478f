import type { Duration } from "./gen/google/protobuf/duration.js";
import type { Figures as WireFigures, GetServerInfoResponse } from "./gen/sessiond/v1/admin_service.js";

/** What daemon it is, and how it fares. */
export interface ServerInfo extends Omit<GetServerInfoResponse, "figures"> {
  /** How it fares. Undefined: it does not tell. */
  readonly figures: Figures | undefined;
}

/** How a daemon fares. Counts since its start unless said otherwise. */
export interface Figures extends Omit<WireFigures, "commitP50" | "commitP99"> {
  /** Median time of a recent batch, in milliseconds, from the first change taken to durable. 0: none yet. */
  readonly commitP50Ms: number;
  /** 99th percentile of the same. */
  readonly commitP99Ms: number;
}

export function serverInfoFromWire({ figures, ...info }: GetServerInfoResponse): ServerInfo {
  return { ...info, figures: figures && figuresFromWire(figures) };
}

/** A duration in milliseconds. Absent is none. */
export function milliseconds(duration: Duration | undefined): number {
  return duration ? Number(duration.seconds) * 1000 + duration.nanos / 1e6 : 0;
}

function figuresFromWire({ commitP50, commitP99, ...counts }: WireFigures): Figures {
  return { ...counts, commitP50Ms: milliseconds(commitP50), commitP99Ms: milliseconds(commitP99) };
}
