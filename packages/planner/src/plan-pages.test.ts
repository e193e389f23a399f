import { describe, expect, it } from "vitest";
import { planPages } from "./plan-pages.js";
import { planStages } from "./plan-stages.js";
import { smallModel, workersOf } from "./testing/small-model.js";

const shape = { pageSize: 32, slidingWindow: 0, contextLength: 320, maxRows: 64 };
const stages = (...memory: number[]) =>
  planStages({ workers: workersOf(...memory), weights: smallModel(4), kvBytesPerLayer: 1, lastPlan: [] });

describe("planPages", () => {
  it.each([
    // two stages of 2 layers; weights 25 and 26; 40 % of what is left, a page of 1 byte per layer
    [[1025, 1026], 64, null, 200],
    // the smaller one bounds: 0.4 * (526 - 26) / 2
    [[1025, 526], 64, null, 100],
    [[100_000, 100_000], 4, null, 40],
    // one whole sequence even where it takes more than 40 %: 0.9 * 30 / 2 = 13
    [[55, 56], 64, null, 10],
    [[1025, 1026], 64, 300, 300],
  ])("of memories %j with %i sequences, %j asked for, are %i", (memory, maxSequences, wanted, expected) => {
    expect(planPages({ stages: stages(...memory), shape, pageBytes: 1, maxSequences, wanted })).toBe(expected);
  });

  it("refuses what does not fit, with the numbers", () => {
    const plan = (wanted: number | null, ...memory: number[]) =>
      planPages({ stages: stages(...memory), shape, pageBytes: 1, maxSequences: 4, wanted });
    expect(() => plan(null, 35, 36)).toThrow(
      /needs 10 pages of 1 bytes per layer, but the tightest stage has room for 4/,
    );
    expect(() => plan(9, 1000, 1000)).toThrow(
      /9 pages of 32 positions can't hold one sequence of 320 positions; allow at least 10/,
    );
  });
});
