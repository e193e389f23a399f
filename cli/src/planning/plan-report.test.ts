import { describe, expect, it } from "vitest";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import { type PlannedShape, type PlanReport, reportRunning, singleGains } from "./plan-report.js";

const wanted = (...streams: readonly number[]) => ({ streams, link: null });
const two = () => clusterStatus([workerStatus("b", [4, 8]), workerStatus("spare", null), workerStatus("a", [0, 4])]);

describe("reportRunning", () => {
  it("describes the stages in the order of their layers, without spares", () => {
    const report = reportRunning(two(), wanted(1));
    expect(report?.shape.workers).toBe(2);
    expect(report?.shape.stages.map(({ first, last, heads }) => [first, last, heads])).toEqual([
      [0, 4, false],
      [4, 8, true],
    ]);
    // 4 layers of 10 ms; the last stage also has the head's 15 ms.
    expect(report?.shape.stages.map(({ rowMs }) => rowMs)).toEqual([40, 55]);
  });

  it("predicts no more streams than the cluster runs at once", () => {
    const status = { ...two(), sequences: { running: 0, waiting: 0, limit: 4 } };
    const [few, many] = reportRunning(status, wanted(4, 32))?.shape.predictions ?? [];
    expect(many?.tokensPerSecond).toBe(few?.tokensPerSecond);
  });

  it("counts the activations between its workers, on a link if there is one", () => {
    const report = reportRunning(two(), wanted(1));
    expect(report?.activations).toEqual({ type: "f32", bytes: 16_384, link: null, smaller: null });
    const slow = reportRunning(two(), { streams: [1], link: 16_384 });
    // A second more for each token; Q8_0 takes 0.27.
    expect(slow?.shape.predictions[0]?.tokensPerSecond).toBeCloseTo(1000 / (98 + 1000));
    expect(slow?.activations?.smaller).toMatchObject({ type: "q8_0", bytes: 4352 });
    const { activationBytes: _, ...older } = two();
    expect(reportRunning(older, wanted(1))?.activations).toBeNull();
  });

  it("says that other processes had the cores while a worker timed its layers", () => {
    const curve = [{ rows: 1, layerMs: 10, headMs: 15 }];
    const timed = (waited: number) => workerStatus("b", [4, 8], { stepTimes: { curve, alone: curve, waited } });
    const report = (waited: number) =>
      reportRunning(clusterStatus([workerStatus("a", [0, 4]), timed(waited)]), wanted(1));
    expect(report(0.1)?.disturbed).toBeNull();
    expect(report(0.4)?.disturbed).toBe(0.4);
  });

  it.each([
    ["without workers", []],
    ["with spares alone", [workerStatus("a", null)]],
    ["while a stage has no times", [workerStatus("a", [0, 4]), workerStatus("b", [4, 8], { stepTimes: null })]],
  ])("is null %s", (_, workers) => expect(reportRunning(clusterStatus(workers), wanted(1))).toBeNull());
});

describe("singleGains", () => {
  const shape = (...rates: readonly number[]) =>
    ({
      predictions: rates.map((tokensPerSecond, index) => ({ streams: index + 1, tokensPerSecond })),
    }) as unknown as PlannedShape;
  const report = (own: PlannedShape, single: PlannedShape | null, disturbed: number | null = null) =>
    ({ shape: own, single, disturbed }) as unknown as PlanReport;

  it.each([
    ["a clear gain for one number of streams", shape(10, 20), shape(12, 18), [1.2, 0.9]],
    ["gains within the error of predictions", shape(10, 20), shape(11, 22), null],
    ["a loss", shape(10, 20), shape(5, 5), null],
  ])("%s", (_, own, single, gains) => expect(singleGains(report(own, single))).toEqual(gains));

  it("is null where other processes disturbed the timing", () =>
    expect(singleGains(report(shape(10), shape(20), 0.3))).toBeNull());

  it("is null without a single worker to compare", () => expect(singleGains(report(shape(1), null))).toBeNull());
});
