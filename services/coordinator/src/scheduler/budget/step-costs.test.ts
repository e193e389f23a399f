import { describe, expect, it } from "vitest";
import { chooseGroupCount } from "./choose-group-count.js";
import { PrefillBudget } from "./prefill-budget.js";
import { StepCosts } from "./step-costs.js";

/** Repacked Q4_0 on two threads, four layers of 7B: rows and milliseconds. */
const CURVE = [
  [1, 15],
  [2, 28],
  [4, 25],
  [8, 49],
  [16, 70],
  [32, 141],
] as const;

/** `stages` stages that each follow the curve. */
function costsOf(stages: number, overheadMs = 0): StepCosts {
  const costs = new StepCosts();
  for (const [rows, ms] of CURVE) for (let n = 0; n < 50; n++) costs.observe(rows, Array(stages).fill(ms), overheadMs);
  return costs;
}

describe("StepCosts", () => {
  it.each([
    [1, 15],
    [3, 26.5],
    [4, 25],
    [12, 59.5],
    // 32 rows are no dearer than twice 16.
    [32, 140],
    [64, 280],
  ])("estimates %i rows at %d ms", (rows, ms) => expect(costsOf(1).slowest(rows)).toBeCloseTo(ms));

  it("takes the workers' own measurements over, and corrects them by what happens", () => {
    const point = { rows: 1, layerMs: 10, headMs: 5 };
    const costs = new StepCosts([
      { curve: [point], layers: 2, heads: false },
      { curve: [point], layers: 2, heads: true },
    ]);
    // One point stands for every size; untried ones look 15 % better than it.
    expect([costs.slowest(1), costs.total(1)]).toEqual([0.85 * 25, 0.85 * 45]);
    for (let n = 0; n < 50; n++) costs.observe(1, [30, 30], 1);
    expect(costs.slowest(1)).toBeCloseTo(30, 1);
    expect(costs.overheadMs).toBeCloseTo(1, 1);
  });

  it("takes no calibration that can't be: 2 rows dearer than twice 1, or than 4 by far", () => {
    const curve = [
      { rows: 1, layerMs: 20, headMs: 0 },
      { rows: 2, layerMs: 500, headMs: 0 },
      { rows: 4, layerMs: 30, headMs: 0 },
    ];
    const costs = new StepCosts([{ curve, layers: 1, heads: false }]);
    for (let n = 0; n < 50; n++) costs.observe(1, [20], 0); // as calibrated
    expect(costs.slowest(2)).toBeCloseTo(0.85 * 1.25 * 30);
  });

  it("expects of untried sizes what the tried ones have become", () => {
    const curve = [1, 2, 4, 8].map((rows) => ({ rows, layerMs: 10 * rows, headMs: 0 }));
    const costs = new StepCosts([{ curve, layers: 1, heads: false }]);
    for (let n = 0; n < 50; n++) costs.observe(4, [80], 0);
    expect(costs.slowest(8)).toBeCloseTo(0.85 * 160, 0);
  });

  it("does not believe that a step which another process held up is dearer than two of half its size", () => {
    const costs = costsOf(1);
    for (let n = 0; n < 50; n++) costs.observe(8, [500], 0);
    expect(costs.slowest(8)).toBeCloseTo(2 * 25);
  });

  it("counts the true sizes of unequal groups", () => {
    const costs = costsOf(2, 1);
    // 16 in 3 groups: 5, 5 and 6 rows, of 31 and 37 ms.
    expect(costs.cycle(16, 3)).toBeCloseTo(31 + 31 + 37);
    expect(costs.cycle(2, 3)).toBeCloseTo(31);
  });

  it("knows nothing at first", () => {
    expect([new StepCosts().known, new StepCosts().slowest(4)]).toEqual([false, 0]);
  });
});

describe("chooseGroupCount", () => {
  it.each([
    { stages: 1, sequences: 8, overheadMs: 0, count: 1, why: "8 in 49 ms, twice 4 in 50" },
    { stages: 1, sequences: 8, overheadMs: 6, count: 2, why: "the stage must not wait for the way back" },
    { stages: 2, sequences: 8, overheadMs: 0, count: 2, why: "4 are cheap" },
    { stages: 2, sequences: 2, overheadMs: 0, count: 2, why: "2 in one step are dear" },
    { stages: 2, sequences: 16, overheadMs: 40, count: 3, why: "the third fills what the way back leaves idle" },
  ])("$stages stages, $sequences sequences, $overheadMs ms between: $count ($why)", (example) => {
    const { stages, sequences, overheadMs, count } = example;
    expect(chooseGroupCount({ stages, sequences, costs: costsOf(stages, overheadMs), current: stages })).toBe(count);
  });

  it("takes one group per stage while nothing is measured", () => {
    expect(chooseGroupCount({ stages: 3, sequences: 9, costs: new StepCosts(), current: 1 })).toBe(3);
  });
});

describe("PrefillBudget", () => {
  const room = 512;

  it.each([
    { target: "auto", decodeRows: 16, beside: 9, why: "1.6 x 70 ms" },
    { target: "auto", decodeRows: 1, beside: 3, why: "nothing fits 24 ms, but 4 rows cost less than 2" },
    { target: 141, decodeRows: 4, beside: 28, why: "32 rows in 141 ms" },
    { target: "off", decodeRows: 4, beside: 512, why: "no limit" },
  ] as const)("$target beside $decodeRows rows: $beside ($why)", ({ target, decodeRows, beside }) => {
    const load = { sequences: decodeRows, groups: 1, prompts: 1, burst: false };
    expect(new PrefillBudget(target, costsOf(1)).beside(decodeRows, room, load)).toBe(beside);
  });

  it("gives many prompts before few streams as much time each as a stream has", () => {
    const budget = new PrefillBudget("auto", costsOf(1));
    // 15 ms for the stream, 0.6 x 15 ms for each of 12 prompts.
    expect(budget.beside(1, room, { sequences: 1, groups: 1, prompts: 12, burst: false })).toBe(27);
  });

  it("hurries with prompts that came before any of the streams had begun", () => {
    const budget = new PrefillBudget("auto", costsOf(1));
    // 15 ms for the stream, 12 x 15 ms for the prompts: 44 rows, of which 32 are a block.
    expect(budget.beside(1, room, { sequences: 1, groups: 1, prompts: 1, burst: true })).toBe(31);
  });

  it("lets nothing go between single rows that a step of its own would hold up", () => {
    const budget = new PrefillBudget("auto", costsOf(2));
    expect(budget.between(room, { sequences: 1, groups: 1, prompts: 1, burst: false })).toBe(0);
    expect(budget.between(room, { sequences: 16, groups: 1, prompts: 1, burst: false })).toBe(6);
  });

  it("cuts prompts into chunks that follow each other where there are stages to fill", () => {
    const budget = new PrefillBudget("auto", costsOf(1));
    expect([budget.alone(1, room, 64), budget.alone(2, room, 64), budget.alone(4, room, 2000)]).toEqual([512, 16, 125]);
  });
});
