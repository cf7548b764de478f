import { SessiondError } from "../error.js";

/**
 * The session that was waited for, or that has to be logged in, is logged out: its last holder logged out, or nobody
 * ever logged in. Without this error, the library would ask for a phone number.
 */
export class LoggedOut extends SessiondError {
  readonly code = "LOGGED_OUT";

  /** @param session the session's name */
  constructor(readonly session: string) {
    super(`${session} is logged out: log in again, or import it with \`sessiond import\``);
  }
}
