import type { Standing } from "../admission/rate-limits.js";

export type RateKind = "requests" | "tokens";

/** OpenAI's headers about one of its limits. */
export function rateHeaders(kind: RateKind, { limit, remaining, resetMs }: Standing): Record<string, string> {
  return {
    [`x-ratelimit-limit-${kind}`]: String(limit),
    [`x-ratelimit-remaining-${kind}`]: String(remaining),
    [`x-ratelimit-reset-${kind}`]: formatReset(resetMs),
  };
}

/** 12 -> "12ms", 1500 -> "1.5s", 60000 -> "1m0s". */
export function formatReset(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.round(ms / 10) / 100;
  if (seconds < 60) return `${seconds}s`;
  return `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`;
}

/** Whole seconds, as Retry-After has them. */
export const retryAfter = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));
