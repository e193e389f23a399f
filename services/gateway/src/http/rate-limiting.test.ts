import { expect, it } from "vitest";
import { formatReset, rateHeaders, retryAfter } from "./rate-limiting.js";

it.each([
  [0, "0ms"],
  [11.2, "12ms"],
  [1500, "1.5s"],
  [59_999, "1m0s"],
  [60_000, "1m0s"],
])("%d ms is written as OpenAI does: %s", (ms, text) => expect(formatReset(ms)).toBe(text));

it("names limit, rest and reset", () => {
  expect(rateHeaders("tokens", { limit: 100, remaining: 40, resetMs: 2000, retryMs: 0, isWithin: true })).toEqual({
    "x-ratelimit-limit-tokens": "100",
    "x-ratelimit-remaining-tokens": "40",
    "x-ratelimit-reset-tokens": "2s",
  });
});

it("never says to try again at once", () => expect([retryAfter(0), retryAfter(1001)]).toEqual(["1", "2"]));
