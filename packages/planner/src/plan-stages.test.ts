import { describe, expect, it } from "vitest";
import { planStages, type StageWorker } from "./plan-stages.js";
import { calibrated, smallModel, workersOf } from "./testing/small-model.js";

const ROOMY = 1e6;
const MB = 1e6;
const cut = (nLayers: number, workers: readonly StageWorker[], lastPlan: readonly number[] = []) =>
  planStages({
    workers,
    weights: smallModel(nLayers),
    kvBytesPerLayer: 1,
    lastPlan: lastPlan.map((last, stage) => ({
      first: lastPlan[stage - 1] ?? 0,
      last,
      embeds: stage === 0,
      heads: stage === lastPlan.length - 1,
    })),
  }).map(({ last }) => last);
const alike = (count: number) => workersOf(...new Array<number>(count).fill(ROOMY));
const withSpeeds = (...layerMs: readonly (number | null)[]) =>
  alike(layerMs.length).map((worker, index) => {
    const ms = layerMs[index] ?? null;
    return { ...worker, calibration: ms === null ? null : calibrated(ms, index === layerMs.length - 1 ? ms : null) };
  });

describe("planStages, by bytes", () => {
  it.each([
    [32, 1, [32]],
    [32, 2, [16, 32]],
    // The last stage has the head besides, worth 0.6 layers: it gets the fewest.
    [8, 3, [3, 6, 8]],
    [7, 3, [2, 5, 7]],
    [3, 3, [1, 2, 3]],
  ])("cuts %i layers over %i workers alike as %j", (nLayers, count, ends) => {
    expect(cut(nLayers, alike(count))).toEqual(ends);
  });

  it.each([
    // 43 bytes hold three layers of 10 + 1 and the head of 6.
    [8, [100, 43], [5, 8]],
    // 30 bytes hold two layers beside the embedding of 5.
    [8, [30, ROOMY], [2, 8]],
    // The small one in the middle; the rest is even.
    [9, [ROOMY, 12, ROOMY], [4, 5, 9]],
    // Plenty of memory is no reason for more layers.
    [10, [ROOMY, 100 * ROOMY], [5, 10]],
  ])("cuts %i layers over memories %j as %j", (nLayers, memory, ends) => {
    expect(cut(nLayers, workersOf(...memory))).toEqual(ends);
  });

  it("heeds raw speeds only where they differ much", () => {
    const raw = (...factors: number[]) =>
      alike(factors.length).map((worker, index) => {
        const factor = factors[index] ?? 1;
        return { ...worker, raw: { gflops: 100 * factor, bandwidth: 1e9 * factor } };
      });
    expect(cut(12, raw(1, 1.3))).toEqual([6, 12]);
    expect(cut(12, raw(1, 3))).toEqual([3, 12]);
  });
});

describe("planStages, by measured time", () => {
  it.each([
    [12, [1, 1], [6, 12]],
    // 10 ms and 2 layers with the head of 3 ms each, 9 ms; with 3 layers there it would be 12.
    [12, [1, 3], [10, 12]],
    [12, [3, 1], [3, 12]],
    [13, [1, 1, 3], [6, 12, 13]],
    // One that has not measured counts as the mean of the others.
    [12, [2, null], [6, 12]],
  ])("cuts %i layers over workers of %j ms per layer as %j", (nLayers, layerMs, ends) => {
    expect(cut(nLayers, withSpeeds(...layerMs))).toEqual(ends);
  });

  it("keeps a cut that is hardly slower than the best", () => {
    expect(cut(32, withSpeeds(1, 2))).toEqual([22, 32]);
    expect(cut(32, withSpeeds(1, 2), [23, 32])).toEqual([23, 32]);
    expect(cut(32, withSpeeds(1, 2), [26, 32])).toEqual([22, 32]);
  });

  it("gives workers that are equally fast one cut, whatever they measured and held before", () => {
    const starts = [alike(2), withSpeeds(1, 1), withSpeeds(1, 1.2), withSpeeds(1.2, 1), withSpeeds(7, null)];
    const dearHead = withSpeeds(1, 1).map((worker) => ({ ...worker, calibration: calibrated(1, 9) }));
    for (const workers of [...starts, dearHead]) {
      for (const last of [[], [15, 32], [17, 32]]) expect(cut(32, workers, last)).toEqual([16, 32]);
    }
  });

  it("leaves a cut that no longer fits or is of another number of stages", () => {
    const [first, second] = withSpeeds(1, 1);
    const small = [{ ...first, memoryTotal: 60 }, second] as StageWorker[];
    expect(cut(10, small, [6, 10])).toEqual([5, 10]);
    expect(cut(10, withSpeeds(1, 1), [10])).toEqual([5, 10]);
  });
});

describe("equal workers of a model with small layers and a large head", () => {
  it("are cut close to what they measure, without measuring", () => {
    // SmolLM2 in Q4_1: the head reads as many bytes as 14 layers, and takes as long as 4 to 5.
    const weights = smallModel(30, { layer: 2_216_448, embedding: 30_081_024, head: 30_083_328 });
    const stages = planStages({ workers: workersOf(1e9, 1e9, 1e9), weights, kvBytesPerLayer: 1, lastPlan: [] });
    expect(stages.map(({ last }) => last)).toEqual([11, 23, 30]);
  });
});

describe("a plan", () => {
  it("puts the embedding on the first stage and the head on the last", () => {
    const plan = planStages({ workers: alike(3), weights: smallModel(6), kvBytesPerLayer: 1, lastPlan: [] });
    expect(plan.map(({ embeds, heads }) => [embeds, heads])).toEqual([
      [true, false],
      [false, false],
      [false, true],
    ]);
    expect(plan.map((stage) => stage.weightBytes)).toEqual([25, 20, 26]);
  });

  it("says what each worker needs and has when the model does not fit", () => {
    const weights = smallModel(4, { layer: 100 * MB, embedding: 0, head: 0 });
    const request = { workers: workersOf(150 * MB, 150 * MB), weights, kvBytesPerLayer: 0, lastPlan: [] };
    expect(() => planStages(request)).toThrow(
      /w0: layers 0 to 1 need 200 MB, it has 150 MB; w1: layers 2 to 3 need 200 MB, it has 150 MB.* --memory/,
    );
  });

  it.each([
    { needed: 7168.2, memory: 7168, message: "layer 0 needs 7169 MB, it has 7168 MB" },
    { needed: 7168, memory: 7167.9, message: "layer 0 needs 7168 MB, it has 7167 MB" },
    { needed: 0.02, memory: 0.0025, message: "layer 0 needs 0.0200 MB, it has 0.0025 MB" },
    { needed: 5, memory: 1.95, message: "layer 0 needs 5.00 MB, it has 1.95 MB" },
    { needed: 5, memory: 0, message: "layer 0 needs 5 MB, it has 0 MB" },
  ])("rounds up what is needed and down what is there: $needed of $memory MB", ({ needed, memory, message }) => {
    const weights = smallModel(1, { layer: Math.ceil(needed * MB), embedding: 0, head: 0 });
    const request = { workers: workersOf(Math.floor(memory * MB)), weights, kvBytesPerLayer: 0, lastPlan: [] };
    expect(() => planStages(request)).toThrow(message);
  });

  it("never reads as lacking for a worker that has enough: 7168.2 of 7168.4 MB", () => {
    const weights = smallModel(2, { layer: Math.ceil(7168.2 * MB), embedding: 0, head: 0 });
    const workers = workersOf(Math.floor(7168.4 * MB), 1024 * MB);
    expect(() => planStages({ workers, weights, kvBytesPerLayer: 0, lastPlan: [] })).toThrow(
      "w0: layer 0 needs 7168.2 MB, it has 7168.4 MB; w1: layer 1 needs 7169 MB, it has 1024 MB",
    );
  });

  it("refuses more workers than layers", () => {
    expect(() => cut(2, alike(3))).toThrow(/2 layers takes 1 to 2 workers; there are 3/);
  });
});
