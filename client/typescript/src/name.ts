import { InvalidName } from "./error.js";

const MAX_LENGTH = 128;

/**
 * Checks a session's name: 1 to 128 of `A-Z a-z 0-9 . _ -`, not beginning with `.` or `-`.
 *
 * @throws InvalidName
 */
export function checkName(name: string): void {
  const [first] = name;
  const foreign = /[^A-Za-z0-9._-]/u.exec(name);
  if (first === undefined) throw new InvalidName("a session name is empty");
  if (foreign) throw new InvalidName(`a session name has only A-Z a-z 0-9 . _ -, not ${JSON.stringify(foreign[0])}`);
  if (name.length > MAX_LENGTH) {
    throw new InvalidName(`a session name is at most ${MAX_LENGTH} characters long, this one has ${name.length}`);
  }
  if (first === "." || first === "-")
    throw new InvalidName(`a session name does not begin with ${JSON.stringify(first)}`);
}
