import type { Redis } from "ioredis";
import { expect, it, onTestFinished, vi } from "vitest";
import { BatchLease } from "./batch-lease.js";

/** A Redis that answers each renewal with what `renewal` gives. */
const redisWith = (renewal: () => Promise<number>) =>
  ({ set: async () => "OK", eval: vi.fn(renewal) }) as unknown as Redis & { readonly eval: ReturnType<typeof vi.fn> };

it.each([
  ["lasts when the clock is set", 1, 3_600_000, false],
  ["lasts no longer than its time without an answer, though the clock is set back", null, -3_600_000, true],
] as const)("a batch's lease %s", async (_, answer, setByMs, isLost) => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const redis = redisWith(async () => answer ?? Promise.reject(new Error("away")));
  const lease = await BatchLease.take(redis, { id: "b", owner: "me", leaseMs: 9000 });
  vi.setSystemTime(Date.now() + setByMs);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(redis.eval).toHaveBeenCalled();
  expect(lease?.lost.aborted).toBe(isLost);
});
