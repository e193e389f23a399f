import { expect, it } from "vitest";
import { placeOfThread, startComputeTimer } from "./compute-timer.js";

/** Milliseconds until `late`. */
function lateness(place: string | undefined, limitMs: number): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    startComputeTimer(place, limitMs, () => resolve(performance.now() - startedAt));
  });
}

it("goes by the clock where no place tells what a thread computes", async () => {
  // Four times the limit is the time of a thread that does not compute.
  const late = await Promise.all([lateness(undefined, 250), lateness("0/task/0", 250)]);
  expect(Math.max(...late)).toBeLessThan(1000);
});

it.runIf(process.platform === "linux")(
  "waits longer for a thread that does not compute, up to four times",
  async () => {
    const idle = await lateness(placeOfThread(), 150);
    expect(idle).toBeGreaterThan(450);
    expect(idle).toBeLessThan(1500);
  },
);

it("stops", async () => {
  let isLate = false;
  startComputeTimer(undefined, 20, () => {
    isLate = true;
  })();
  await lateness(undefined, 60);
  expect(isLate).toBe(false);
});
