import type { IncomingHttpHeaders } from "node:http";
import { RequestError } from "../request-error.js";

const HEADER = "x-request-timeout";

/** How long a request may take, in milliseconds: what it says itself in seconds, else `mostMs`. Throws INVALID_REQUEST beyond that. */
export function timeoutOf(headers: IncomingHttpHeaders, mostMs: number): number {
  const given = headers[HEADER];
  if (given === undefined || given === "") return mostMs;
  const ms = /^\d{1,9}(\.\d{1,9})?$/.test(String(given)) ? Math.ceil(Number(given) * 1000) : 0;
  if (ms >= 1 && ms <= mostMs) return ms;
  const message = `${HEADER}: must be a number of seconds above 0, at most ${mostMs / 1000}.`;
  throw new RequestError("INVALID_REQUEST", message, { param: HEADER });
}
