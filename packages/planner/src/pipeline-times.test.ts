import { describe, expect, it } from "vitest";
import { groupSizes, slowestStageMs, sumOfStagesMs } from "./pipeline-times.js";

describe("a pipeline's times", () => {
  const curve = [
    { rows: 1, layerMs: 4, headMs: 1 },
    { rows: 8, layerMs: 12, headMs: 8 },
  ];
  const stages = [
    { curve, layers: 4, heads: false },
    { curve, layers: 2, heads: true },
  ];

  it("are the slowest stage's and the sum of all stages", () => {
    expect(slowestStageMs(stages, 8)).toBeCloseTo(4 * 12);
    expect(sumOfStagesMs(stages, 8)).toBeCloseTo(4 * 12 + 2 * 12 + 8);
  });

  it("of no stages are 0", () => {
    expect([slowestStageMs([], 8), sumOfStagesMs([], 8)]).toEqual([0, 0]);
  });
});

describe("groupSizes", () => {
  it.each([
    { sequences: 16, groups: 3, sizes: [6, 5, 5] },
    { sequences: 17, groups: 3, sizes: [6, 6, 5] },
    { sequences: 16, groups: 2, sizes: [8, 8] },
    { sequences: 2, groups: 3, sizes: [1, 1] },
    { sequences: 1, groups: 1, sizes: [1] },
  ])("divides $sequences sequences among $groups groups as $sizes", ({ sequences, groups, sizes }) => {
    const divided = groupSizes(sequences, groups);
    expect(divided.flatMap(({ rows, count }) => new Array<number>(count).fill(rows))).toEqual(sizes);
  });
});
