import { resolve } from "node:path";

const ABSTRACT = "unix-abstract:";
const PATH = "unix:";
const FIRST_NODE_WITH_ABSTRACT = 22;

/**
 * Where a daemon is looked for: what was given, else what `SESSIOND_SOCKET` names, else where `sessiond serve` serves
 * by default: as root `/run/sessiond/sessiond.sock`, else `$XDG_RUNTIME_DIR/sessiond/sessiond.sock`, and without that
 * variable `/tmp/sessiond-UID/sessiond.sock`.
 *
 * @returns a path, or `unix-abstract:NAME`
 */
export function findSocket(
  given: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
  uid: number = process.getuid?.() ?? 0,
): string {
  const text =
    given ?? (isSet(environment.SESSIOND_SOCKET) ? environment.SESSIOND_SOCKET : defaultSocket(environment, uid));
  if (text.startsWith(ABSTRACT)) return text;
  return resolve(text.startsWith(PATH) ? text.slice(PATH.length) : text);
}

/**
 * The socket as gRPC's name for it. An abstract name is a path that begins with a NUL byte.
 *
 * @throws Error: this Node cannot connect to an abstract name
 */
export function target(socket: string): string {
  if (!socket.startsWith(ABSTRACT)) return PATH + socket;
  // Those before fill the name with NUL bytes, up to the longest that there is, and find nobody under it.
  if (Number.parseInt(process.versions.node) < FIRST_NODE_WITH_ABSTRACT) {
    throw new Error(`abstract sockets need Node ${FIRST_NODE_WITH_ABSTRACT} or later, and this is ${process.version}`);
  }
  return `${PATH}\0${socket.slice(ABSTRACT.length)}`;
}

function defaultSocket(environment: NodeJS.ProcessEnv, uid: number): string {
  if (uid === 0) return "/run/sessiond/sessiond.sock";
  const directory = isSet(environment.XDG_RUNTIME_DIR)
    ? `${environment.XDG_RUNTIME_DIR}/sessiond`
    : `/tmp/sessiond-${uid}`;
  return `${directory}/sessiond.sock`;
}

/** Empty is as if it were not set. */
function isSet(variable: string | undefined): variable is string {
  return variable !== undefined && variable !== "";
}
