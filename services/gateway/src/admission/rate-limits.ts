import { RhoneError } from "@rhone/common";
import type { RateLimiterAbstract, RateLimiterRes } from "rate-limiter-flexible";
import type { Caller } from "./caller.js";

export const WINDOW_S = 60;
/** A window that ends this soon is not corrected any more: the correction could reach the next one. */
const MARGIN_MS = 1000;

/** How a caller stands in its present window. */
export interface Standing {
  readonly limit: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetMs: number;
  /** Whether what was asked for is within the limit. */
  readonly isWithin: boolean;
}

/** Tokens that were set aside for a request. */
export interface Reservation {
  readonly standing: Standing;
  /** Puts what was used in the place of what was set aside. Never rejects; does nothing once the window is over. */
  settle(used: number): Promise<void>;
}

/** Counts points by name in windows of WINDOW_S seconds, the first of which begins with the first point. It refuses nothing itself. */
export type PointCounter = Pick<RateLimiterAbstract, "consume" | "penalty" | "reward">;

/** The requests and tokens of each caller, counted by all gateways together. */
export class RateLimits {
  readonly #requests: PointCounter;
  readonly #tokens: PointCounter;

  constructor({ requests, tokens }: { readonly requests: PointCounter; readonly tokens: PointCounter }) {
    this.#requests = requests;
    this.#tokens = tokens;
  }

  /** Counts a request, also one that is too many; null for a caller without a limit. Throws REDIS_UNAVAILABLE. */
  async takeRequest({ owner, limits }: Caller): Promise<Standing | null> {
    if (limits.requests === null) return null;
    return standing(await count(this.#requests.consume(nameOf(owner), 1)), limits.requests);
  }

  /** Sets tokens aside, or none where they are too many; null for a caller without a limit. Throws REDIS_UNAVAILABLE. */
  async reserveTokens({ owner, limits }: Caller, tokens: number): Promise<Reservation | null> {
    if (limits.tokens === null) return null;
    const name = nameOf(owner);
    const counted = await count(this.#tokens.consume(name, tokens));
    const endsAtMs = performance.now() + counted.msBeforeNext;
    const now = standing(counted, limits.tokens);
    if (!now.isWithin) {
      const left = await count(this.#tokens.reward(name, tokens));
      return { standing: { ...standing(left, limits.tokens), isWithin: false }, settle: async () => {} };
    }
    return {
      standing: now,
      settle: async (used) => {
        const excess = used - tokens;
        if (excess === 0 || performance.now() > endsAtMs - MARGIN_MS) return;
        const correction = excess > 0 ? this.#tokens.penalty(name, excess) : this.#tokens.reward(name, tokens - used);
        // Without Redis the reservation stands until its window ends.
        await correction.catch(() => {});
      },
    };
  }
}

/** Redis keys don't end in nothing. */
const nameOf = (owner: string): string => (owner === "" ? "anonymous:" : owner);

function standing({ consumedPoints, msBeforeNext }: RateLimiterRes, limit: number): Standing {
  const remaining = Math.max(0, limit - consumedPoints);
  return { limit, remaining, resetMs: Math.max(0, msBeforeNext), isWithin: consumedPoints <= limit };
}

function count(counting: Promise<RateLimiterRes>): Promise<RateLimiterRes> {
  return counting.catch((cause: unknown) => {
    throw new RhoneError("REDIS_UNAVAILABLE", "Redis can't be reached; try again shortly.", { cause });
  });
}
