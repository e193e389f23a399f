import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** The caller's x-request-id if it is up to 128 visible ASCII characters, else one of our own. */
export function requestIdOf({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID().replaceAll("-", "");
}
