import { LIMIT_PREFIX } from "@rhone/common";
import type { Redis } from "ioredis";

/** A limit is of this time. */
export const WINDOW_MS = 60_000;

/** What is left of a limit. */
export interface Left {
  /** Whether the points were taken; otherwise nothing was. */
  readonly isWithin: boolean;
  /** Time until all of the limit is there again. */
  readonly wholeInMs: number;
  /** Time until the points would fit; 0 when they did. */
  readonly fitsInMs: number;
  /** Unix milliseconds, by the store's clock: what was taken has come back by then. */
  readonly endsAtMs: number;
}

/** Points that are taken of a name's limit per minute. */
export interface Taking {
  readonly limit: number;
  readonly points: number;
}

/** What is corrected of points that were taken: more of them are used, or, if negative, given back. */
export interface Correction extends Taking {
  /** Of the taking. What has come back by itself is not given back. */
  readonly endsAtMs: number;
}

/** Limits per minute, by name. They fill up steadily, so that no moment has more than one limit's worth. */
export interface Budgets {
  take(name: string, taking: Taking): Promise<Left>;
  correct(name: string, correction: Correction): Promise<void>;
}

// One value for each name, the generic cell rate algorithm's: the time at which all of the limit is there again.
// Each point moves it by a limit's part of the minute; it may be a minute away at most. KEYS: the name. ARGV:
// milliseconds of a point, points, and for a correction the end of its taking.

const CLOCK = `
local time = redis.call("TIME")
local now = time[1] * 1000 + time[2] / 1000
local whole = math.max(now, tonumber(redis.call("GET", KEYS[1]) or 0))
local cost = ARGV[1] * ARGV[2]
local function keep(whole)
  if whole <= now then redis.call("DEL", KEYS[1])
  else redis.call("SET", KEYS[1], string.format("%.4f", whole), "PX", math.ceil(whole - now)) end
end`;

const TAKE = `${CLOCK}
local late = whole + cost - now - ${WINDOW_MS}
local fits = late < 0.01
if fits and cost > 0 then
  whole = whole + cost
  keep(whole)
end
return {fits and 1 or 0, string.format("%.4f", whole - now), string.format("%.4f", math.max(0, late)),
  string.format("%.4f", whole)}`;

const CORRECT = `${CLOCK}
if cost < 0 then cost = math.max(cost, math.min(0, now - ARGV[3])) end
keep(whole + cost)`;

/** In Redis, so that gateways that share it share the limits. `redis` is borrowed. */
export function redisBudgets(redis: Pick<Redis, "eval">, kind: string): Budgets {
  const keyOf = (name: string): string => `${LIMIT_PREFIX}:${kind}:${name}`;
  return {
    async take(name, { limit, points }) {
      const answer = await redis.eval(TAKE, 1, keyOf(name), WINDOW_MS / limit, points);
      const [fits, wholeInMs = 0, fitsInMs = 0, endsAtMs = 0] = (answer as readonly (string | number)[]).map(Number);
      return { isWithin: fits === 1, wholeInMs, fitsInMs: fits === 1 ? 0 : fitsInMs, endsAtMs };
    },
    async correct(name, { limit, points, endsAtMs }) {
      await redis.eval(CORRECT, 1, keyOf(name), WINDOW_MS / limit, points, endsAtMs);
    },
  };
}
