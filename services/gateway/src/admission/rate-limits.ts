import { redisUnavailable } from "@rhone/common";
import type { Redis } from "ioredis";
import { type Budgets, type Left, redisBudgets, WINDOW_MS } from "./budgets.js";
import type { Caller } from "./caller.js";

/** What is left of a caller's limit. */
export interface Standing {
  readonly limit: number;
  readonly remaining: number;
  /** Time until all of it is there again. */
  readonly resetMs: number;
  /** Time until the request would fit; 0 when it does. */
  readonly retryMs: number;
  /** Whether the request fits into the limit. */
  readonly isWithin: boolean;
}

/** Tokens that are taken of a limit until they are settled, at any gateway. */
export interface ReservedTokens {
  readonly tokens: number;
  readonly limit: number;
  /** Unix milliseconds: they have come back by then. */
  readonly endsAtMs: number;
}

/** Tokens reserved for a request. */
export interface Reservation {
  readonly standing: Standing;
  readonly reserved: ReservedTokens;
  /** As `RateLimits.settle`. */
  settle(used: number): Promise<void>;
}

/** Counts the requests and tokens of each caller, over all gateways together. */
export class RateLimits {
  readonly #requests: Budgets;
  readonly #tokens: Budgets;

  constructor({ requests, tokens }: { readonly requests: Budgets; readonly tokens: Budgets }) {
    this.#requests = requests;
    this.#tokens = tokens;
  }

  /** Counts a request that fits; null for a caller without a limit. Throws REDIS_UNAVAILABLE. */
  async takeRequest({ owner, limits }: Pick<Caller, "owner" | "limits">): Promise<Standing | null> {
    const { requests: limit } = limits;
    if (limit === null) return null;
    return standing(await this.#requests.take(nameOf(owner), { limit, points: 1 }).catch(redisUnavailable), limit);
  }

  /** Reserves tokens, or none if they exceed the limit; null for a caller without one. Throws REDIS_UNAVAILABLE. */
  async reserveTokens(
    { owner, limits }: Pick<Caller, "owner" | "limits">,
    tokens: number,
  ): Promise<Reservation | null> {
    const { tokens: limit } = limits;
    if (limit === null) return null;
    const left = await this.#tokens.take(nameOf(owner), { limit, points: tokens }).catch(redisUnavailable);
    const reserved = { tokens: left.isWithin ? tokens : 0, limit, endsAtMs: left.endsAtMs };
    const settle = async (used: number): Promise<void> => {
      if (left.isWithin) await this.settle(owner, reserved, used);
    };
    return { standing: standing(left, limit), reserved, settle };
  }

  /** Replaces the owner's reserved tokens by the used ones, once for each reservation. Never rejects. */
  async settle(owner: string, { tokens, limit, endsAtMs }: ReservedTokens, used: number): Promise<void> {
    if (used === tokens) return;
    const correction = { limit, points: used - tokens, endsAtMs };
    // Without Redis the reservation counts until it has come back.
    await this.#tokens.correct(nameOf(owner), correction).catch(() => {});
  }
}

/** An empty name would leave the Redis key without its last part. */
const nameOf = (owner: string): string => (owner === "" ? "anonymous:" : owner);

function standing({ isWithin, wholeInMs, fitsInMs }: Left, limit: number): Standing {
  // Of what came back since the last point, only whole ones count.
  const remaining = Math.max(0, Math.floor((limit * (WINDOW_MS - wholeInMs)) / WINDOW_MS + 1e-6));
  return { limit, remaining, resetMs: wholeInMs, retryMs: fitsInMs, isWithin };
}

/** `redis` is borrowed. */
export const redisRateLimits = (redis: Redis): RateLimits =>
  new RateLimits({ requests: redisBudgets(redis, "requests"), tokens: redisBudgets(redis, "tokens") });
