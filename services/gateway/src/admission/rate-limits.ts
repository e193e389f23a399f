import { LIMIT_PREFIX, redisUnavailable } from "@rhone/common";
import type { Redis } from "ioredis";
import { type RateLimiterAbstract, RateLimiterRedis, type RateLimiterRes } from "rate-limiter-flexible";
import type { Caller } from "./caller.js";

const WINDOW_S = 60;
/** A window is not corrected in its last second: the correction could land in the next one. */
const MARGIN_MS = 1000;

/** What is left of a caller's limit in the current window. */
export interface Standing {
  readonly limit: number;
  readonly remaining: number;
  /** Time until the window ends. */
  readonly resetMs: number;
  /** Whether the request fits into the limit. */
  readonly isWithin: boolean;
}

/** Tokens that count in a window until they are settled, at any gateway. */
export interface ReservedTokens {
  readonly tokens: number;
  /** Unix milliseconds: the end of the window. */
  readonly endsAtMs: number;
}

/** Tokens reserved for a request. */
export interface Reservation {
  readonly standing: Standing;
  readonly reserved: ReservedTokens;
  /** As `RateLimits.settle`. */
  settle(used: number): Promise<void>;
}

/** Counts points by name, in windows of 60 s that begin with their first point. It refuses nothing itself. */
export type PointCounter = Pick<RateLimiterAbstract, "consume" | "penalty" | "reward">;

/** Counts the requests and tokens of each caller, over all gateways together. */
export class RateLimits {
  readonly #requests: PointCounter;
  readonly #tokens: PointCounter;

  constructor({ requests, tokens }: { readonly requests: PointCounter; readonly tokens: PointCounter }) {
    this.#requests = requests;
    this.#tokens = tokens;
  }

  /** Counts a request, also one beyond the limit; null for a caller without one. Throws REDIS_UNAVAILABLE. */
  async takeRequest({ owner, limits }: Caller): Promise<Standing | null> {
    if (limits.requests === null) return null;
    return standing(await this.#requests.consume(nameOf(owner), 1).catch(redisUnavailable), limits.requests);
  }

  /** Reserves tokens, or none if they exceed the limit; null for a caller without one. Throws REDIS_UNAVAILABLE. */
  async reserveTokens({ owner, limits }: Caller, tokens: number): Promise<Reservation | null> {
    if (limits.tokens === null) return null;
    const name = nameOf(owner);
    const counted = await this.#tokens.consume(name, tokens).catch(redisUnavailable);
    const reserved = { tokens, endsAtMs: Date.now() + counted.msBeforeNext };
    const now = standing(counted, limits.tokens);
    if (now.isWithin) return { standing: now, reserved, settle: (used) => this.settle(owner, reserved, used) };
    const left = await this.#tokens.reward(name, tokens).catch(redisUnavailable);
    return {
      standing: { ...standing(left, limits.tokens), isWithin: false },
      reserved: { ...reserved, tokens: 0 },
      settle: async () => {},
    };
  }

  /**
   * Replaces the owner's reserved tokens by the used ones, once for each reservation. Never rejects; does nothing once
   * the window is over.
   */
  async settle(owner: string, { tokens, endsAtMs }: ReservedTokens, used: number): Promise<void> {
    const excess = used - tokens;
    if (excess === 0 || Date.now() > endsAtMs - MARGIN_MS) return;
    const name = nameOf(owner);
    const correction = excess > 0 ? this.#tokens.penalty(name, excess) : this.#tokens.reward(name, -excess);
    // Without Redis the reservation counts until its window ends.
    await correction.catch(() => {});
  }
}

/** An empty name would leave the Redis key without its last part. */
const nameOf = (owner: string): string => (owner === "" ? "anonymous:" : owner);

function standing({ consumedPoints, msBeforeNext }: RateLimiterRes, limit: number): Standing {
  const remaining = Math.max(0, limit - consumedPoints);
  return { limit, remaining, resetMs: Math.max(0, msBeforeNext), isWithin: consumedPoints <= limit };
}

/** Counters in Redis, so that gateways that share it share the limits. `redis` is borrowed. */
export function redisRateLimits(redis: Redis): RateLimits {
  const counter = (kind: string) =>
    new RateLimiterRedis({
      storeClient: redis,
      keyPrefix: `${LIMIT_PREFIX}:${kind}`,
      // Limits differ by caller, so RateLimits compares them.
      points: Number.MAX_SAFE_INTEGER,
      duration: WINDOW_S,
    });
  return new RateLimits({ requests: counter("requests"), tokens: counter("tokens") });
}
