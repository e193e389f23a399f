import type { GenerationJob } from "@rhone/common";
import type { FastifyReply } from "fastify";
import type { Reservation } from "../admission/rate-limits.js";
import type { GatewayDeps } from "../gateway-deps.js";
import { RequestError } from "../request-error.js";
import { rateHeaders, retryAfter } from "./rate-headers.js";

/** Set aside for each choice of a request that does not say how long its answer may be. */
const UNSTATED_TOKENS = 512;

/** What a request may cost: its prompts, and as many tokens as its choices may have. */
export function tokensFor(jobs: readonly GenerationJob[], isLimitStated: boolean): number {
  const most = isLimitStated ? Number.POSITIVE_INFINITY : UNSTATED_TOKENS;
  return jobs.reduce((sum, { promptIds, maxTokens }) => sum + promptIds.length + Math.min(maxTokens, most), 0);
}

/**
 * Sets tokens aside from its caller's limit and says so in the reply's headers; null for a caller without one.
 * Throws RATE_LIMIT_EXCEEDED, without Retry-After if no minute is long enough.
 */
export async function limitTokens(
  { limits, metrics }: GatewayDeps,
  reply: FastifyReply,
  tokens: number,
): Promise<Reservation | null> {
  const reservation = await limits.reserveTokens(reply.request.caller, tokens);
  if (reservation === null) return null;
  const { standing } = reservation;
  reply.headers(rateHeaders("tokens", standing));
  if (standing.isWithin) return reservation;
  metrics.refused.inc({ reason: "tokens" });
  const { limit, remaining, resetMs } = standing;
  if (tokens > limit) {
    const message = `The request needs ${tokens} tokens, prompt and answer together; the limit is ${limit} per minute. Ask for fewer.`;
    throw new RequestError("RATE_LIMIT_EXCEEDED", message, { headers: { "x-should-retry": "false" } });
  }
  const seconds = retryAfter(resetMs);
  const message = `The request needs ${tokens} tokens, and ${remaining} of ${limit} per minute are left; try again in ${seconds} s.`;
  throw new RequestError("RATE_LIMIT_EXCEEDED", message, { headers: { "retry-after": seconds } });
}
