import type { GenerationJob } from "@rhone/common";
import type { FastifyReply } from "fastify";
import type { RateLimits, Reservation, Standing } from "../admission/rate-limits.js";
import { tokensFor } from "../admission/token-account.js";
import type { Metrics } from "../metrics.js";
import { RequestError } from "../request-error.js";

/** What limiting requests takes. */
export interface Limiting {
  readonly limits: RateLimits;
  readonly metrics: Pick<Metrics, "refused">;
}

/** Counts the request against its caller's limit and reports it in the reply's headers. Throws RATE_LIMIT_EXCEEDED. */
export async function limitRequests({ limits, metrics }: Limiting, reply: FastifyReply): Promise<void> {
  const standing = await limits.takeRequest(reply.request.caller);
  if (standing === null) return;
  reply.headers(rateHeaders("requests", standing));
  if (standing.isWithin) return;
  metrics.refused.inc({ reason: "requests" });
  const seconds = retryAfter(standing.retryMs);
  const message = `The limit of ${standing.limit} requests per minute is reached; try again in ${seconds} s.`;
  throw new RequestError("RATE_LIMIT_EXCEEDED", message, { headers: { "retry-after": seconds } });
}

interface ReservedRequest {
  readonly jobs: readonly GenerationJob[];
  readonly statesLimit: boolean;
}

/**
 * Reserves the tokens that the request may use and reports it in the reply's headers; null for a caller without a
 * limit. Throws RATE_LIMIT_EXCEEDED, without Retry-After when the request exceeds the limit of a whole minute.
 */
export async function reserveTokens(
  { limits, metrics }: Limiting,
  reply: FastifyReply,
  { jobs, statesLimit }: ReservedRequest,
): Promise<Reservation | null> {
  const { caller } = reply.request;
  if (caller.limits.tokens === null) return null;
  const tokens = tokensFor(jobs, statesLimit);
  const reservation = await limits.reserveTokens(caller, tokens);
  if (reservation === null) return null;
  const { standing } = reservation;
  reply.headers(rateHeaders("tokens", standing));
  if (standing.isWithin) return reservation;
  metrics.refused.inc({ reason: "tokens" });
  throw tooManyTokens(tokens, standing);
}

function tooManyTokens(tokens: number, { limit, remaining, retryMs }: Standing): RequestError {
  const need = `The request needs up to ${tokens} tokens for prompt and answer`;
  if (tokens > limit) {
    const message = `${need}, more than the limit of ${limit} per minute; ask for fewer.`;
    return new RequestError("RATE_LIMIT_EXCEEDED", message, { headers: { "x-should-retry": "false" } });
  }
  const seconds = retryAfter(retryMs);
  const message = `${need}, but ${remaining} of ${limit} per minute are left; try again in ${seconds} s.`;
  return new RequestError("RATE_LIMIT_EXCEEDED", message, { headers: { "retry-after": seconds } });
}

/** OpenAI's headers about a limit. */
export function rateHeaders(kind: "requests" | "tokens", standing: Standing): Record<string, string> {
  return {
    [`x-ratelimit-limit-${kind}`]: String(standing.limit),
    [`x-ratelimit-remaining-${kind}`]: String(standing.remaining),
    [`x-ratelimit-reset-${kind}`]: formatReset(standing.resetMs),
  };
}

/** 12 -> "12ms", 1500 -> "1.5s", 60000 -> "1m0s". */
export function formatReset(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.round(ms / 10) / 100;
  if (seconds < 60) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`;
}

/** Whole seconds, as Retry-After requires. */
export const retryAfter = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));
