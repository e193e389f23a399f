import { describe, expect, it } from "vitest";
import { type ModelRequest, planModel } from "./plan-model.js";
import { smallModel, workersOf } from "./testing/small-model.js";

const request = (changes: Partial<ModelRequest> = {}): ModelRequest => ({
  workers: workersOf(10_000, 10_000),
  weights: smallModel(4),
  shape: { pageSize: 32, slidingWindow: 0, contextLength: 320, maxRows: 64 },
  pageBytes: 9,
  maxSequences: 4,
  kvPages: null,
  lastPlan: [],
  ...changes,
});

describe("planModel", () => {
  it("gives every stage its layers and room for all sequences", () => {
    const { stages, pages } = planModel(request());
    expect(stages.map(({ worker, first, last, weightBytes }) => ({ worker, first, last, weightBytes }))).toEqual([
      { worker: "w0", first: 0, last: 2, weightBytes: 25 },
      { worker: "w1", first: 2, last: 4, weightBytes: 26 },
    ]);
    expect(pages).toBe(4 * 10);
  });

  it("leaves each stage room for one sequence's pages, at most 90 % of what the weights leave", () => {
    // A layer takes 10 bytes and 10 pages of 9 bytes / 0.9 = 100: w0 holds one of them beside the embedding of 5.
    const { stages, pages } = planModel(request({ workers: workersOf(115, 10_000) }));
    expect(stages.map(({ last }) => last)).toEqual([1, 4]);
    expect(pages).toBe(10);
  });

  it("counts a window's pages and not the whole context's", () => {
    const shape = { pageSize: 32, slidingWindow: 64, contextLength: 3200, maxRows: 32 };
    expect(planModel(request({ shape })).pages).toBe(4 * 4);
  });

  it("takes the pages that are asked for into the cut", () => {
    const workers = workersOf(450, 10_000);
    expect(planModel(request({ workers, kvPages: 20 })).stages.map(({ last }) => last)).toEqual([2, 4]);
    expect(planModel(request({ workers, kvPages: 40 })).stages.map(({ last }) => last)).toEqual([1, 4]);
  });

  it("equals itself for equal requests, and keeps a cut that it made", () => {
    const plan = planModel(request());
    expect(planModel(request())).toEqual(plan);
    expect(planModel(request({ lastPlan: plan.stages }))).toEqual(plan);
  });
});
