import type { Logger } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { RunFacts } from "../requests/run-facts.js";
import { operationOf } from "./openapi/operations.js";
import { namesOf } from "./trace-requests.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Filled in by those who answer; null: the request gets no line. */
    facts: (RunFacts & { readonly arrivedAt: number }) | null;
  }
}

export interface RequestLogUse {
  /** Whether requests get their lines. */
  readonly requestLog: boolean;
  readonly logger: Logger;
}

/** Lines of refused requests per 10 s: a flood of them must not fill a disk. */
const MOST_REFUSED = 50;
const WINDOW_MS = 10_000;

/**
 * Writes one line for each request when its answer is sent or breaks off: who asked for what, how long it took and what
 * came of it, never its text. Health, metrics and the status are left out. Of refused ones only 50 in 10 s get a line;
 * the next line says how many before it did not, as `leftOut`.
 */
export function logRequests(app: FastifyInstance, { requestLog, logger }: RequestLogUse): void {
  app.decorateRequest("facts", null);
  if (!requestLog) return;
  let windowEndsAt = 0;
  let refused = 0;
  let leftOut = 0;
  const write = (request: FastifyRequest, reply: FastifyReply): void => {
    const now = performance.now();
    if (now > windowEndsAt) [windowEndsAt, refused] = [now + WINDOW_MS, 0];
    if (reply.raw.statusCode >= 400 && ++refused > MOST_REFUSED) {
      leftOut += 1;
      return;
    }
    logger.info({ ...lineOf(request, reply), leftOut: leftOut || undefined }, "request");
    leftOut = 0;
  };
  app.addHook("onRequest", async (request, reply) => {
    if (operationOf(request)?.tag === "operations") return;
    request.facts = { arrivedAt: performance.now() };
    reply.raw.once("close", () => write(request, reply));
  });
}

function lineOf(request: FastifyRequest, { raw }: FastifyReply) {
  const { facts, caller, method, routeOptions, failure } = request;
  const { arrivedAt = 0, outcome, ...known } = facts ?? {};
  return {
    ...namesOf(request),
    endpoint: `${method} ${routeOptions.url ?? "none"}`,
    // "" where no keys are required; nobody's when the key was refused.
    key: caller?.owner,
    status: raw.headersSent ? raw.statusCode : undefined,
    outcome: outcome ?? failure?.code.toLowerCase() ?? (raw.writableFinished ? "ok" : "cancelled"),
    ms: performance.now() - arrivedAt,
    ...known,
  };
}
