import { expect, it } from "vitest";
import { PhaseTimes } from "./phase-times.js";

it("tells the phases apart by the first step and the first token", () => {
  const times = new PhaseTimes();
  const arrivedAtMs = Date.now() - 500;
  times.began(10, arrivedAtMs);
  times.began(20, arrivedAtMs); // its second step
  times.drew(35.25);
  times.drew(50);
  const { queuedMs, ...phases } = times.endingAt(110) ?? {};
  expect(phases).toEqual({ prefillMs: 25.25, decodeMs: 74.75 });
  expect(queuedMs).toBeGreaterThanOrEqual(500);
  expect(queuedMs).toBeLessThan(60_000);
});

it("counts all as prefill without a token, and knows nothing of a sequence that never began", () => {
  const times = new PhaseTimes();
  expect(times.endingAt(5)).toBeNull();
  times.began(10, Date.now() + 60_000); // the gateway's clock is ahead
  expect(times.endingAt(40)).toEqual({ queuedMs: 0, prefillMs: 30, decodeMs: 0 });
});
