/**
 * The package for who imports it. It is the same code that `require` gives, so that an error is an `instanceof` the
 * same class however it was loaded.
 */
export * from "./index.js";
