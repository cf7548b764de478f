import type { CallOptions, Connection, Method } from "./connection.js";
import type { Token } from "./secret.js";
import type { Standing } from "./standing.js";

/** What every request about a held session says. */
export interface Shown {
  name: string;
  token: Buffer;
}

/** A held session as it is reached: by its name and its token, for as long as it is held. */
export class Access {
  /** What shows that the session is held. */
  readonly shown: Shown;

  constructor(
    readonly connection: Connection,
    readonly name: string,
    readonly token: Token,
    readonly standing: Standing,
  ) {
    this.shown = { name, token: Buffer.from(token.expose()) };
  }

  /**
   * Makes a call that shows the token, and again while no daemon answers.
   *
   * @throws Lost, or Fenced for a token that was given: the session is not held any more
   */
  call<Request extends Shown, Answer>(
    method: Method<Request, Answer>,
    request: Omit<Request, keyof Shown>,
    options?: CallOptions,
  ): Promise<Answer> {
    const whole = { ...request, ...this.shown } as Request;
    return this.standing.during(() => this.connection.call(method, whole, options));
  }
}
