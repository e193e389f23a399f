import type { Server } from "node:http";
import { RhoneError } from "@rhone/common";
import type { FastifyReply } from "fastify";

const hasLeft = () => new RhoneError("CANCELLED", "The client closed the connection.");

/** Aborted when the client closes its connection. */
export function leavingOf({ raw }: Pick<FastifyReply, "raw">): AbortSignal {
  const left = new AbortController();
  const leave = () => left.abort(hasLeft());
  raw.once("close", leave);
  if (raw.destroyed) leave();
  return left.signal;
}

/** The requests of each server that are told when it gives them up. */
const told = new WeakMap<Server, Set<AbortController>>();

/**
 * Aborted when the client closes its connection, and with SHUTTING_DOWN when the gateway gives its requests up. For
 * requests whose answers nobody can fetch later: from a connection that breaks their clients would not learn whether to
 * send them again.
 */
export function waitingOf({ raw, server: { server } }: FastifyReply): AbortSignal {
  const ended = new AbortController();
  const all = told.get(server) ?? new Set();
  told.set(server, all.add(ended));
  const leave = () => {
    all.delete(ended);
    ended.abort(hasLeft());
  };
  raw.once("close", leave);
  if (raw.destroyed) leave();
  return ended.signal;
}

/** Ends what waits by `waitingOf`. */
export function giveUp(server: Server): void {
  const why = "The gateway ends before the answer does; send the request again, to another gateway if there is one.";
  for (const given of told.get(server) ?? []) given.abort(new RhoneError("SHUTTING_DOWN", why));
}
