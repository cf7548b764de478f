/**
 * A program that holds alice, and listens to nothing: what becomes of it when the hold is lost? Arguments: the socket,
 * and `reading` for one that reads the session meanwhile.
 */

import { connect } from "@sessiond/client";

const [, , socket, reading] = process.argv;

async function main(): Promise<void> {
  const hold = await connect({ socket }).hold("alice");
  console.log("held");
  if (reading !== "reading") return;
  const outcome = await hold.load().then(
    () => "read",
    (error: unknown) => String(error),
  );
  console.log(outcome);
  hold.drop();
}

void main();
