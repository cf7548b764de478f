/** GramJS's session in sessiond: `new TelegramClient(new SessiondSession("alice"), ...)`. */

import { AuthKey } from "telegram/crypto/AuthKey";
import { returnBigInt } from "telegram/Helpers";
import { MemorySession } from "telegram/sessions";

import type { Library } from "./adapters/gramjs/library.js";
import { sessionClass } from "./adapters/gramjs/session.js";

const library = { MemorySession, AuthKey, returnBigInt } as unknown as Library<MemorySession>;

/**
 * A session of GramJS that lives in sessiond. The client's `connect` takes it for this process alone, and waits in line
 * if another has it; `await session.close()` lets it go, once the client is destroyed.
 */
export class SessiondSession extends sessionClass(library, "gramjs") {}

export { type Destroyable } from "./adapters/gramjs/session.js";
export { LoggedOut } from "./adapters/logged-out.js";
export { type SessionOptions } from "./adapters/tenure.js";
