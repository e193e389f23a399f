import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Patience } from "./patience.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a request hangs when nothing comes for as long as it may, and not while something does", async () => {
  const patience = new Patience({ patienceMs: 10_000 });
  for (let second = 0; second < 60; second++) {
    await vi.advanceTimersByTimeAsync(1000);
    patience.heard();
  }
  await vi.advanceTimersByTimeAsync(9999);
  expect(patience.over.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect([patience.over.aborted, vi.getTimerCount()]).toEqual([true, 0]);
});

test("a request does not hang while faults are made, and does once the cluster was well for as long", async () => {
  let disturbedUntil = 0;
  const patience = new Patience({ patienceMs: 10_000, disturbedUntil: () => disturbedUntil });
  for (let fault = 0; fault < 60; fault++) {
    await vi.advanceTimersByTimeAsync(4000);
    disturbedUntil = performance.now();
  }
  await vi.advanceTimersByTimeAsync(9999);
  expect(patience.over.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(patience.over.aborted).toBe(true);
});

test("nothing is left of a request that has ended", async () => {
  new Patience({ patienceMs: 10_000 }).close();
  expect(vi.getTimerCount()).toBe(0);
});
