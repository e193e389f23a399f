import type { WorkerStatus } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { fakeSummary } from "../testing/fake-gateway.js";
import { type PlanFields, whatIf } from "./what-if.js";

const model = await fakeSummary();
const timesOf = (layerMs: number, headMs: number) => {
  const curve = [{ rows: 1, layerMs, headMs }];
  return { curve, alone: curve };
};
const worker = (layers: readonly [number, number], times: WorkerStatus["stepTimes"]) =>
  ({ layers, stepTimes: times }) as WorkerStatus;

const running = status("c1", {
  model: { ...status("").model, nLayers: 4 },
  sequences: { running: 0, waiting: 0, limit: 8 },
  workers: [worker([0, 2], timesOf(10, 0)), worker([2, 4], timesOf(12, 5))],
});
const plan = (asked: Partial<PlanFields> = {}, pipelines = [running]) =>
  whatIf({ name: "tiny", model, pipelines, asked: { workers: 2, memory: 1e8, ...asked } });

describe("a plan of workers that are not there", () => {
  it("divides the layers, and counts weights and pages of each stage", () => {
    const { stages, pages, page_size } = plan();
    expect(stages.map(({ first, last }) => [first, last])).toEqual([
      [0, 2],
      [2, 4],
    ]);
    expect(stages.map(({ weight_bytes }) => weight_bytes)).toEqual([2.5e6, 2.5e6]);
    // 2 (K and V) * 32 positions * 2 heads * 32 numbers * 2 bytes, two layers.
    expect(stages[0]?.page_bytes).toBe(pages * 2 * 2 * page_size * 2 * 32 * 2);
  });

  it("predicts from what the fastest of the running workers measured", () => {
    const { predictions, unpredicted } = plan({ workers: 1, streams: [1] });
    expect(unpredicted).toBeNull();
    // 4 layers of 10 ms, the head's 5, and two hops of 1 ms.
    expect(predictions).toEqual([{ streams: 1, tokens_per_second: expect.closeTo(1000 / 47) }]);
  });

  it("predicts nothing for weights that nobody timed, and knows their size", () => {
    const { stages, predictions, unpredicted } = plan({ weights: "f16" });
    expect([predictions, unpredicted]).toEqual([null, "No worker has timed weights of this type."]);
    expect(stages[0]?.weight_bytes).toBe(5e6);
  });

  it.each([
    ["no pipeline", []],
    ["workers that have timed nothing", [status("c1", { workers: [worker([0, 4], null)] })]],
  ])("predicts nothing without measurements: %s", (_, pipelines) => {
    expect(plan({}, pipelines)).toMatchObject({ predictions: null, unpredicted: expect.stringMatching(/timed/) });
  });

  it.each([
    [{ memory: 1000 }, "NOT_ENOUGH_MEMORY"],
    [{ workers: 5 }, "INVALID_CONFIG"],
  ])("refuses %j with %s", (asked, code) => {
    expect(() => plan(asked)).toThrow(expect.objectContaining({ code }));
  });
});
