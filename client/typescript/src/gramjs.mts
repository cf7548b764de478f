/** The same for who imports it: see index.mts. */
export * from "./gramjs.js";
