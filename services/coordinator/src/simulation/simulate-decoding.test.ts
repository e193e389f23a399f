import { describe, expect, it } from "vitest";
import { simulateDecoding } from "./simulate-decoding.js";

const options = { stageMs: 5, rowMs: 0, hopMs: 0.2, sequencesPerStage: 2, warmUpSeconds: 1, seconds: 2 };

describe("simulateDecoding", () => {
  it("gives the same figures every time", async () => {
    const first = await simulateDecoding({ ...options, stages: 3 });
    expect(await simulateDecoding({ ...options, stages: 3 })).toEqual(first);
  });

  it("never beats a stage that is never idle, and reaches it where hops take no time", async () => {
    const { share, stepsPerSecond, rowsPerSecond, rowsPerStep } = await simulateDecoding({
      ...options,
      stages: 4,
      hopMs: 0,
      warmUpSeconds: 10, // until every number of groups was tried
    });
    expect(share).toBeLessThanOrEqual(1);
    expect(share).toBeGreaterThan(0.99);
    expect(rowsPerSecond).toBeCloseTo(stepsPerSecond * rowsPerStep, 6);
  });

  it("leaves no stage idle where smaller steps are as much shorter: 5 groups of 4 for 4 stages", async () => {
    const work = { stageMs: 0, rowMs: 2.5, hopMs: 1, sequencesPerStage: 5, warmUpSeconds: 5 };
    const { share, rowsPerStep } = await simulateDecoding({ ...options, ...work, stages: 4 });
    expect(share).toBeGreaterThan(0.99);
    expect(rowsPerStep).toBe(4);
  });

  it.each([
    { hopMs: 2.5, share: 1, why: "the next step is there when one ends" },
    { hopMs: 7.5, share: 0.5, why: "two steps of 5 ms in 20, hops included" },
  ])("keeps one stage busy with one sequence, hops of $hopMs ms: $share ($why)", async ({ hopMs, share: expected }) => {
    const { share, rowsPerStep } = await simulateDecoding({ ...options, stages: 1, sequencesPerStage: 1, hopMs });
    expect(share).toBeCloseTo(expected, 2);
    expect(rowsPerStep).toBe(1);
  });
});
