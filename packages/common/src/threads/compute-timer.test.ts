import { expect, it } from "vitest";
import { type Lateness, placeOfThread, startComputeTimer } from "./compute-timer.js";

const lateness = (place: string | undefined, limitMs: number): Promise<Lateness> =>
  new Promise((resolve) => startComputeTimer(place, limitMs, resolve));

it("goes by the clock where no place tells what a thread computes", async () => {
  // Eight times the limit is the time of a thread that does not compute.
  const late = await Promise.all([lateness(undefined, 250), lateness("0/task/0", 250)]);
  expect(Math.max(...late.map(({ passedMs }) => passedMs))).toBeLessThan(2000);
  expect(late.map(({ reason }) => reason)).toEqual(["cost", "cost"]);
});

it.runIf(process.platform === "linux")(
  "waits longer for a thread that does not compute, up to eight times, and blames the machine",
  async () => {
    const idle = await lateness(placeOfThread(), 150);
    expect(idle.passedMs).toBeGreaterThan(900);
    expect(idle.passedMs).toBeLessThan(3000);
    expect(idle.reason).toBe("busy machine");
    expect(idle.computedMs).toBeLessThan(150);
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
