import { isIPv6 } from "node:net";
import { z } from "zod";

/** A host name or address; an IPv6 address may have the brackets of a URL, which are taken off. */
export const hostSchema = z
  .string()
  .min(1)
  .transform((host) => /^\[(.+)\]$/.exec(host)?.[1] ?? host);

/** host:port of another process; an IPv6 address has brackets, as its last part could be a port. */
export const hostPortSchema = z
  .string()
  .regex(/^(\[[^\]]+\]|[^:[\]]+):\d+$/, "must be host:port or [IPv6 address]:port");

/** host:port for URLs, gRPC and people: [::1]:8080. */
export const hostPort = (host: string, port: number | string): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

/** Whether it means all interfaces: an address to listen on, not one to connect to. */
export const isEveryInterface = (host: string): boolean =>
  host === "0.0.0.0" || (isIPv6(host) && /^[0:.]+$/.test(host));

/** This machine's address for itself, of the family of `host`. */
export const loopbackOf = (host: string): string => (isIPv6(host) ? "::1" : "127.0.0.1");
