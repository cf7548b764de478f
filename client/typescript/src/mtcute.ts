/** mtcute's storage in sessiond: `await SessiondStorage.open("alice")`. */

export { LoggedOut } from "./adapters/logged-out.js";
export { type Destroyable, SessiondStorage } from "./adapters/mtcute/storage.js";
export { type SessionOptions } from "./adapters/tenure.js";
