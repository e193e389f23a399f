import { addressTowards, type ListenPlace, listenPlace } from "../enrollment/own-address.js";

/** host:port, without the brackets of an IPv6 address. */
export function splitHostPort(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/**
 * Where this machine listens for the others: at the address that it has in its connection to `peer` (host:port), unless
 * one is named. Throws UNREACHABLE when the peer does not answer.
 */
export async function placeTowards(peer: string, advertise: string | undefined): Promise<ListenPlace> {
  if (advertise !== undefined) return listenPlace(advertise);
  const { host, port } = splitHostPort(peer);
  const address = await addressTowards(host, port);
  return { bind: address, advertise: address };
}
