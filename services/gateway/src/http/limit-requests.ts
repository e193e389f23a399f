import type { FastifyReply } from "fastify";
import type { GatewayDeps } from "../gateway-deps.js";
import { RequestError } from "../request-error.js";
import { rateHeaders, retryAfter } from "./rate-headers.js";

/** Counts the request against its caller's limit and says so in the reply's headers. Throws RATE_LIMIT_EXCEEDED. */
export async function limitRequests({ limits, metrics }: GatewayDeps, reply: FastifyReply): Promise<void> {
  const standing = await limits.takeRequest(reply.request.caller);
  if (standing === null) return;
  reply.headers(rateHeaders("requests", standing));
  if (standing.isWithin) return;
  metrics.refused.inc({ reason: "requests" });
  const seconds = retryAfter(standing.resetMs);
  throw new RequestError(
    "RATE_LIMIT_EXCEEDED",
    `The limit of ${standing.limit} requests per minute is reached; try again in ${seconds} s.`,
    { headers: { "retry-after": seconds } },
  );
}
