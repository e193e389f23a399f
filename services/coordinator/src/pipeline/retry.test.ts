import { describe, expect, it } from "vitest";
import { pauseAfter } from "./retry.js";

describe("pauseAfter", () => {
  it.each([
    { code: "WORKER_LOST", wasReady: false, hasSpare: false, pauseMs: 100, why: "another plan may do without it" },
    { code: "STAGE_FAILED", wasReady: true, hasSpare: false, pauseMs: 100, why: "it was ready" },
    { code: "OUT_OF_MEMORY", wasReady: true, hasSpare: false, pauseMs: 100, why: "it was ready" },
    { code: "STAGE_FAILED", wasReady: false, hasSpare: true, pauseMs: 2000, why: "it may pass" },
    { code: "INTERNAL", wasReady: false, hasSpare: false, pauseMs: 2000, why: "it may pass" },
    { code: "OUT_OF_MEMORY", wasReady: false, hasSpare: true, pauseMs: 100, why: "a spare gets its turn" },
    { code: "OUT_OF_MEMORY", wasReady: false, hasSpare: false, pauseMs: null, why: "no worker is left to try" },
    { code: "MODEL_NOT_FOUND", wasReady: false, hasSpare: false, pauseMs: null, why: "no worker is left to try" },
    { code: "NOT_ENOUGH_MEMORY", wasReady: false, hasSpare: false, pauseMs: null, why: "the plan needs other workers" },
  ] as const)("$pauseMs ms after $code (ready $wasReady, spare $hasSpare): $why", ({ code, pauseMs, ...state }) => {
    expect(pauseAfter(code, state)).toBe(pauseMs);
  });
});
