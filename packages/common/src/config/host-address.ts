import { isIPv6 } from "node:net";
import { z } from "zod";

const HOST = "must be a host name or an address, without a port";
const ZONE = "must have no zone, as %eth0: URLs have none; listen on ::, and name another address of the machine";

/** Whether an IPv6 address is of one interface, as fe80::1%eth0. */
const hasZone = (host: string): boolean => host.includes("%");

/** A host name or address; an IPv6 address may have the brackets of a URL, which are taken off. */
export const hostSchema = z
  .string()
  .min(1, HOST)
  .transform((host) => /^\[(.+)\]$/.exec(host)?.[1] ?? host)
  .refine((host) => !hasZone(host), { error: ZONE, abort: true })
  .refine((host) => isIPv6(host) || /^[^\s:/?#@[\]]+$/.test(host), HOST);

/** host:port of another process; an IPv6 address has brackets, as its last part could be a port. */
export const hostPortSchema = z
  .string()
  .refine((text) => !hasZone(text), { error: ZONE, abort: true })
  .refine(isHostPort, "must be host:port or [IPv6 address]:port");

function isHostPort(text: string): boolean {
  const [, address, host] = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):\d+$/.exec(text) ?? [];
  return address === undefined ? host !== undefined : isIPv6(address);
}

/** host:port for URLs, gRPC and people: [::1]:8080. */
export const hostPort = (host: string, port: number | string): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** Whether it means all interfaces: an address to listen on, not one to connect to. */
export const isEveryInterface = (host: string): boolean =>
  host === "0.0.0.0" || (isIPv6(host) && /^[0:.]+$/.test(host));

/** This machine's address for itself, of the family of `host`. */
export const loopbackOf = (host: string): string => (isIPv6(host) ? "::1" : "127.0.0.1");
