import { LIMIT_PREFIX } from "@rhone/common";
import type { Redis } from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { RateLimits, WINDOW_S } from "./rate-limits.js";

/** Counters in Redis, one script each: gateways that share it share the limits. Borrows the connection. */
export function redisRateLimits(redis: Redis): RateLimits {
  const counter = (kind: string) =>
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${LIMIT_PREFIX}:${kind}`,
      // Limits differ by caller; they are compared by whoever counts.
      points: Number.MAX_SAFE_INTEGER,
      duration: WINDOW_S,
    });
  return new RateLimits({ requests: counter("requests"), tokens: counter("tokens") });
}
