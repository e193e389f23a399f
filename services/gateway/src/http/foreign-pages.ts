import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { RhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isLoopback } from "../admission/key-ring.js";
import { cut } from "../request-error.js";

export interface ForeignPagesUse {
  /** Nobody has a key to show, so a page of the web would be taken for its reader. */
  readonly requiresKeys: boolean;
  /** The address that the gateway listens on. */
  readonly host: string;
  /** Names, besides those of this machine, by which clients call it; ["*"]: all. [] on a loopback address: none. */
  readonly allowedHosts: readonly string[];
  /** Origins whose pages may call the gateway; ["*"]: all. */
  readonly corsOrigins: readonly string[];
}

/** Characters of a header that a refusal repeats. */
const LONGEST = 100;

/**
 * Without API keys, refuses what pages of other sites ask for. Browsers keep answers from such pages, but send their
 * forms, uploads and requests without a body all the same. And a page whose own name was led to this machine (DNS
 * rebinding) is of the gateway's site for its browser: such a request names that site as its host.
 */
export function refuseForeignPages(app: FastifyInstance, uses: ForeignPagesUse): void {
  const { requiresKeys, host, allowedHosts, corsOrigins } = uses;
  if (requiresKeys) return;
  const judges = (isLoopback(host) || allowedHosts.length > 0) && !allowedHosts.includes("*");
  const names = judges ? new Set(allowedHosts) : null;
  const origins = corsOrigins.includes("*") ? null : new Set(corsOrigins);
  app.addHook("onRequest", async (request) => {
    const name = nameIn(request.headers.host ?? "");
    if (names !== null && !isOwnName(name) && !names.has(name)) throw foreignHost(name);
    if (origins !== null && isOfForeignPage(request, origins)) throw foreignPage(request.headers.origin);
  });
}

/** "LocalHost.:8080" -> "localhost"; "[::1]:8080" -> "::1". */
function nameIn(host: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(host)?.[1];
  return bracketed ?? host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
}

/** Whether no site of the web can have it: an address, or a name of this machine or its network. */
const isOwnName = (name: string): boolean => isIP(name) !== 0 || !name.includes(".") || name.endsWith(".localhost");

/**
 * As browsers say it, or by the origin where they do not: over plain HTTP from another machine. Programs say neither.
 * Links lead here from everywhere, and a browser asks with OPTIONS before it does anything else.
 */
function isOfForeignPage({ method, headers }: FastifyRequest, origins: ReadonlySet<string>): boolean {
  const { origin, host = "" } = headers;
  if (method === "OPTIONS" || (origin !== undefined && origins.has(origin))) return false;
  const site = headers["sec-fetch-site"];
  if (site === "same-origin" || site === "none") return false;
  if (site !== undefined) return method !== "GET" || headers["sec-fetch-mode"] !== "navigate";
  return origin !== undefined && hostOf(origin) !== host.toLowerCase();
}

/** With its port, unless it is the scheme's own; "" for origins without one, such as "null". */
const hostOf = (origin: string): string => (URL.canParse(origin) ? new URL(origin).host : "");

function foreignHost(name: string): RhoneError {
  const why = `The Host header names ${cut(name, LONGEST)}, which may be a site of the web`;
  const cure = "call it by localhost or an address, or list the name in --allowed-hosts (RHONE_ALLOWED_HOSTS)";
  return new RhoneError("FORBIDDEN", `${why}; this gateway needs no API keys, so ${cure}.`);
}

function foreignPage(origin: IncomingHttpHeaders["origin"] = "another site"): RhoneError {
  const why = `A web page of ${cut(origin, LONGEST)} sent this`;
  const cure = "only pages of --cors-origins (RHONE_CORS_ORIGINS) may call it";
  return new RhoneError("FORBIDDEN", `${why}; this gateway needs no API keys, so ${cure}.`);
}
