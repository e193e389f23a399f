import { expect, test } from "vitest";
import { FairRate } from "./fair-rate.js";

const { signal } = new AbortController();

test("streams share a rate equally, and together stay below it", async () => {
  const rate = new FairRate(() => 100_000);
  const passed = [0, 0];
  const startedAt = performance.now();
  const stream = async (index: number): Promise<void> => {
    while ((passed[0] ?? 0) + (passed[1] ?? 0) < 30_000) {
      await rate.pass(1000, signal);
      passed[index] = (passed[index] ?? 0) + 1000;
    }
  };
  await Promise.all([stream(0), stream(1)]);
  const seconds = (performance.now() - startedAt) / 1000;
  expect(30_000 / (seconds + 0.06)).toBeLessThanOrEqual(100_000);
  expect(Math.abs((passed[0] ?? 0) - (passed[1] ?? 0))).toBeLessThanOrEqual(1000);
});

test("without a limit nothing waits", async () => {
  const rate = new FairRate(() => Number.POSITIVE_INFINITY);
  const startedAt = performance.now();
  for (let i = 0; i < 1000; i++) await rate.pass(1e9, signal);
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

test("one that leaves does not wait on", async () => {
  const rate = new FairRate(() => 1);
  const leaving = new AbortController();
  await rate.pass(1000, signal);
  const waiting = rate.pass(1, leaving.signal);
  leaving.abort(new Error("left"));
  await expect(waiting).rejects.toThrow("left");
});
