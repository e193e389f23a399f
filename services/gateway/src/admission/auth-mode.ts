import { BlockList, isIPv4, isIPv6 } from "node:net";

/** auto: keys unless only this machine can reach the gateway. */
export const AUTH_MODES = ["auto", "keys", "off"] as const;
export type AuthMode = (typeof AUTH_MODES)[number];

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether requests need an API key at a gateway that binds to `host`. */
export function keysRequired(mode: AuthMode, host: string): boolean {
  return mode === "keys" || (mode === "auto" && !isLoopback(host));
}

/** A name other than localhost may stand for any address. */
function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  return (isIPv4(host) && loopback.check(host, "ipv4")) || (isIPv6(host) && loopback.check(host, "ipv6"));
}
