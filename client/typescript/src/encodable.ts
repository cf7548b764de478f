import { InvalidArgument } from "./error.js";

/**
 * Encodes something.
 *
 * @throws InvalidArgument: it does not fit into its message, as a number that is too large for its field
 */
export function encodable<Encoded>(encode: () => Encoded): Encoded {
  try {
    return encode();
  } catch (error) {
    throw new InvalidArgument("INVALID_SESSION", error instanceof Error ? error.message : String(error));
  }
}
