import { describe, expect, it } from "vitest";
import { measuredCosts } from "../../testing/scheduling.js";
import { StepCosts } from "./step-costs.js";
import { TUNING } from "./tuning.js";

/** One layer per stage, with these milliseconds by rows. */
const calibrated = (...points: readonly (readonly [rows: number, layerMs: number])[]): StepCosts => {
  const curve = points.map(([rows, layerMs]) => ({ rows, layerMs, headMs: 0 }));
  return new StepCosts([{ curve, layers: 1, heads: false }]);
};

function observe(
  costs: StepCosts,
  rows: number,
  stageMs: readonly number[],
  { steps = 50, overheadMs = 0 } = {},
): void {
  for (let step = 0; step < steps; step++) costs.observe(rows, { stageMs, overheadMs });
}

describe("StepCosts, estimates", () => {
  it.each([
    [1, 15, "measured"],
    [3, 26.5, "half-way between 28 and 25"],
    [4, 25, "measured, cheaper than 2 rows"],
    [12, 59.5, "half-way between 49 and 70"],
    [32, 140, "measured as 141, but no more than twice 16 rows"],
    [64, 280, "in proportion to the largest known size"],
    [0, 15, "the least known size"],
  ])("%i rows take %d ms: %s", (rows, ms) => expect(measuredCosts(1).slowest(rows)).toBeCloseTo(ms));

  it("tell the shortest cycle of all numbers of groups", () => {
    const costs = measuredCosts(2);
    const cycles = [1, 2, 3].map((groups) => costs.cycle(8, groups));
    expect(costs.shortestCycle(8, 2)).toBe(Math.min(...cycles));
    expect(costs.shortestCycle(1, 2)).toBe(costs.cycle(1, 1));
    expect(new StepCosts().shortestCycle(8, 2)).toBe(0);
  });

  it("adds up all stages for the whole way, and takes the slowest for the queue", () => {
    const costs = new StepCosts();
    observe(costs, 4, [10, 30, 20]);
    expect([costs.slowest(4), costs.total(4)]).toEqual([30, 60]);
  });

  it("starts from the workers' calibration, as 15 % cheaper until a size has run", () => {
    const point = { rows: 1, layerMs: 10, headMs: 5 };
    const costs = new StepCosts([
      { curve: [point], layers: 2, heads: false },
      { curve: [point], layers: 2, heads: true },
    ]);
    expect([costs.slowest(1), costs.total(1)]).toEqual([0.85 * 25, 0.85 * 45]);
    observe(costs, 1, [30, 30], { overheadMs: 1 });
    expect(costs.slowest(1)).toBeCloseTo(30, 1);
    expect(costs.overheadMs).toBeCloseTo(1, 1);
  });

  it("knows nothing at first, and estimates 0", () => {
    const costs = new StepCosts();
    expect([costs.known, costs.slowest(4), costs.total(4)]).toEqual([false, 0, 0]);
  });

  it.each([
    [0, [10]],
    [4, []],
  ])("learns nothing from a step of %i rows with the times %j", (rows, stageMs) => {
    const costs = new StepCosts();
    costs.observe(rows, { stageMs, overheadMs: 1 });
    expect(costs.known).toBe(false);
  });

  it.each([
    [17, 18],
    [100, 104],
    [16, 16],
  ])("counts a step of %i rows as one of %i, scaled", (rows, bucket) => {
    const costs = new StepCosts();
    costs.observe(rows, { stageMs: [rows], overheadMs: 0 });
    expect(costs.slowest(bucket)).toBeCloseTo(bucket);
  });
});

describe("StepCosts, doubts", () => {
  it("moves by a tenth towards a slower step and by four tenths towards a faster one", () => {
    const costs = new StepCosts();
    observe(costs, 8, [100]);
    costs.observe(8, { stageMs: [150], overheadMs: 0 });
    expect(costs.slowest(8)).toBeCloseTo(105);
    costs.observe(8, { stageMs: [55], overheadMs: 0 });
    expect(costs.slowest(8)).toBeCloseTo(85);
  });

  it("counts one step as at most twice the estimate", () => {
    const costs = new StepCosts();
    observe(costs, 8, [100]);
    costs.observe(8, { stageMs: [5000], overheadMs: 0 });
    expect(costs.slowest(8)).toBeCloseTo(110);
  });

  it("bounds a calibration that was disturbed: 2 rows dearer than twice 1, and far dearer than 4", () => {
    const costs = calibrated([1, 20], [2, 500], [4, 30]);
    observe(costs, 1, [20]); // as calibrated
    expect(costs.slowest(2)).toBeCloseTo(0.85 * 1.25 * 30);
  });

  it("scales sizes that have not run by the change of those that have", () => {
    const costs = calibrated([1, 10], [2, 20], [4, 40], [8, 80]);
    observe(costs, 4, [80]);
    expect(costs.slowest(8)).toBeCloseTo(0.85 * 160, 0);
  });

  it("does not take a step that another process held up for dearer than two of half its size", () => {
    const costs = measuredCosts(1);
    observe(costs, 8, [500]);
    expect(costs.slowest(8)).toBeCloseTo(2 * 25);
  });

  it(`lets a size look 15 % cheaper again after ${TUNING.curiousAfter} steps without it`, () => {
    const costs = new StepCosts();
    observe(costs, 8, [80]);
    observe(costs, 1, [10], { steps: TUNING.curiousAfter - 1 });
    expect(costs.slowest(8)).toBeCloseTo(80);
    observe(costs, 1, [10], { steps: 1 });
    expect(costs.slowest(8)).toBeCloseTo(0.85 * 80);
  });
});

describe("StepCosts.cycle", () => {
  it.each([
    { sequences: 16, groups: 3, ms: 31 + 31 + 37, why: "5, 5 and 6 rows queue at the slowest stage" },
    { sequences: 2, groups: 3, ms: 31, why: "one row through both stages and the hops" },
    { sequences: 8, groups: 1, ms: 2 * 49 + 1, why: "the only group crosses both stages" },
  ])("$sequences sequences in $groups groups: $ms ms ($why)", ({ sequences, groups, ms }) => {
    expect(measuredCosts(2, 1).cycle(sequences, groups)).toBeCloseTo(ms);
  });

  it.each([
    { overheadMs: 6, ms: 49, why: "the second step is there when the first one ends" },
    { overheadMs: 151, ms: 100, why: "two steps in 200 ms, hops included" },
  ])("with two steps on the way and hops of $overheadMs ms: $ms ms ($why)", ({ overheadMs, ms }) => {
    expect(measuredCosts(1, overheadMs).cycle(8, 1, 2)).toBeCloseTo(ms);
  });
});

describe("StepCosts.rowsWithin", () => {
  it.each([
    { limitMs: 25, most: 512, rows: 4, why: "4 rows take 25 ms" },
    { limitMs: 14, most: 512, rows: 0, why: "one row takes 15 ms" },
    { limitMs: 300, most: 512, rows: 64, why: "64 rows take 280 ms; a third block does not fit" },
    { limitMs: 200, most: 50, rows: 32, why: "50 rows would begin a second block" },
    { limitMs: 1000, most: 50, rows: 50, why: "all fit" },
  ])("$rows of $most in $limitMs ms: $why", ({ limitMs, most, rows }) => {
    expect(measuredCosts(1).rowsWithin(limitMs, most)).toBe(rows);
  });
});
