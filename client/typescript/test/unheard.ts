/** A program that holds a session and listens to nothing: what becomes of it when the hold is lost? Arguments: socket, name. */

import { connect } from "@sessiond/client";

const [, , socket, name] = process.argv;

async function main(): Promise<void> {
  const hold = await connect({ socket }).hold(name ?? "");
  console.log(`held at ${hold.fence}`);
}

void main();
