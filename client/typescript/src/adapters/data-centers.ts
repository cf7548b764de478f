/** Telegram's data centers, as libraries have them built in: for sessions to which no library ever wrote an address. */

/** IPv4 addresses by the data center's id. */
const PRODUCTION: Readonly<Record<number, string>> = {
  1: "149.154.175.53",
  2: "149.154.167.51",
  3: "149.154.175.100",
  4: "149.154.167.91",
  5: "91.108.56.130",
};
const TEST: Readonly<Record<number, string>> = {
  1: "149.154.175.10",
  2: "149.154.167.40",
  3: "149.154.175.117",
};
const PRODUCTION_PORT = 443;
const TEST_PORT = 80;

/** Where a data center is looked for first. Undefined: Telegram has none of this id. */
export function usualEndpoint(id: number, test: boolean): Endpoint | undefined {
  const address = (test ? TEST : PRODUCTION)[id];
  return address === undefined ? undefined : { address, port: test ? TEST_PORT : PRODUCTION_PORT };
}

/** Whether an address is one of Telegram's test servers, whose ids mean other servers in production. */
export function isTestServer(address: string): boolean {
  return Object.values(TEST).includes(address);
}

/** An IP address and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Reads `ip:port`, of an IPv6 address without brackets. */
export function endpointFromText(text: string): Endpoint {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
