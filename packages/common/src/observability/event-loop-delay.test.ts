import { describe, expect, it, onTestFinished } from "vitest";
import { EventLoopDelay } from "./event-loop-delay.js";

function busyFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until) Math.hypot(until);
}

async function afterLongTurn(): Promise<EventLoopDelay> {
  const delay = new EventLoopDelay();
  onTestFinished(() => delay.close());
  // Measuring has begun.
  await expect.poll(() => delay.delays.max).toBeGreaterThan(0);
  busyFor(300);
  await expect.poll(() => delay.delays.max).toBeGreaterThan(0.25);
  return delay;
}

describe("EventLoopDelay", () => {
  it("tells each of several readers of a long turn", async () => {
    const delay = await afterLongTurn();
    const first = delay.delays;
    const second = delay.delays;
    expect(second.max).toBeGreaterThanOrEqual(first.max);
    expect(first.min).toBeLessThanOrEqual(first.mean);
    expect(first.mean).toBeLessThan(first.max);
  });

  it("tells it for a window or two, and then no more", async () => {
    const delay = await afterLongTurn();
    delay.nextWindow();
    expect(delay.delays.max).toBeGreaterThan(0.25);
    delay.nextWindow();
    expect(delay.delays).toEqual({ min: 0, max: 0, mean: 0, stddev: 0, p50: 0, p90: 0, p99: 0 });
  });
});
