import { describe, expect, it } from "vitest";
import { planModel } from "./plan-model.js";
import { planSpares, takeOver } from "./spare-shards.js";
import { smallModel, workersOf } from "./testing/small-model.js";

const weights = smallModel(9, { layer: 100, embedding: 50, head: 60 });
const shape = { pageSize: 4, slidingWindow: 0, contextLength: 8, maxRows: 8 };
const request = { weights, shape, pageBytes: 1 };

/** Three workers with layers 0 to 2, 3 to 5 and 6 to 8, and 20 pages. */
function planFor(...memory: readonly number[]) {
  const workers = workersOf(...memory);
  return planModel({ workers, ...request, maxSequences: 10, kvPages: null, lastPlan: [] });
}
const ROOMY = [1e4, 1e4, 1e4];

describe("planSpares", () => {
  it("gives each worker the stages that follow its own, the first after the last", () => {
    const spares = planSpares(planFor(...ROOMY), 1, request);
    expect(spares.map(({ worker, stages, bytes }) => [worker, stages.map(({ stage }) => stage), bytes])).toEqual([
      ["w0", [1], 300],
      ["w1", [2], 360],
      ["w2", [0], 350],
    ]);
  });

  it("gives no worker more than all the others' stages", () => {
    const spares = planSpares(planFor(...ROOMY), 5, request);
    expect(spares.map(({ stages, lacking }) => [stages.map(({ stage }) => stage), lacking])).toEqual([
      [[1, 2], null],
      [[2, 0], null],
      [[0, 1], null],
    ]);
  });

  // w1 has 300 bytes of weights and 60 of pages; the spare shard has 360 more.
  it.each([
    [720, [2], null],
    [719, [], { stage: 2, needed: 720 }],
  ])("gives a worker of %i bytes the stages %j, and says what is lacking", (memory, stages, lacking) => {
    const spares = planSpares(planFor(1e4, memory, 1e4), 1, request);
    expect(spares[1]).toMatchObject({ stages: stages.map((stage) => ({ stage })), lacking });
  });
});

describe("takeOver", () => {
  const plan = planFor(...ROOMY);
  const held = (count: number, ...left: readonly string[]) => {
    const own = new Map(plan.stages.map((stage) => [stage.worker, stage]));
    const spares = planSpares(plan, count, request).filter(({ worker }) => left.includes(worker));
    return new Map(spares.map(({ worker, stages }) => [worker, [own.get(worker) ?? [], ...stages].flat()]));
  };
  const cutOf = (count: number, ...left: readonly string[]) =>
    takeOver(plan, held(count, ...left), request)?.stages.map(({ worker, first, last }) => [worker, first, last]);

  it.each([
    [
      1,
      ["w0", "w2"],
      [
        ["w0", 0, 6],
        ["w2", 6, 9],
      ],
    ],
    [
      1,
      ["w0", "w1"],
      [
        ["w0", 0, 3],
        ["w1", 3, 9],
      ],
    ],
    // The last worker holds the first stage's layers, and becomes the first.
    [
      1,
      ["w1", "w2"],
      [
        ["w2", 0, 3],
        ["w1", 3, 9],
      ],
    ],
    [2, ["w0"], [["w0", 0, 9]]],
    [2, ["w1"], [["w1", 0, 9]]],
    [2, ["w2"], [["w2", 0, 9]]],
  ])("with %i spare stages, %j are left: %j", (count, left, cut) => {
    expect(cutOf(count, ...left)).toEqual(cut);
  });

  it.each([
    ["nobody is lost", 1, ["w0", "w1", "w2"]],
    ["nobody is left", 1, []],
    ["two are lost and each holds one stage more", 1, ["w0"]],
    ["nothing spare is held", 0, ["w0", "w2"]],
  ])("is not possible when %s", (_, count, left) => {
    expect(cutOf(count, ...left)).toBeUndefined();
  });

  it("has the embedding on its first stage and the head on its last, with their bytes", () => {
    const { stages } = takeOver(plan, held(1, "w1", "w2"), request) ?? { stages: [] };
    expect(stages.map(({ stage, embeds, heads, weightBytes }) => [stage, embeds, heads, weightBytes])).toEqual([
      [0, true, false, 350],
      [1, false, true, 660],
    ]);
  });

  it("keeps the pages, or as many as fit the stage that has more layers now", () => {
    expect(takeOver(plan, held(1, "w0", "w2"), request)?.pages).toBe(plan.pages);
    const tight = { ...plan, stages: plan.stages.map((stage) => ({ ...stage, memoryTotal: 730 })) };
    // w2 has its own layers, which it does not serve now, beside those of the first stage: 0.9 * 20 bytes for 3 layers.
    expect(takeOver(tight, held(1, "w0", "w2"), request)?.pages).toBe(6);
    const tighter = { ...plan, stages: plan.stages.map((stage) => ({ ...stage, memoryTotal: 712 })) };
    expect(takeOver(tighter, held(1, "w0", "w2"), request)).toBeNull();
  });
});
