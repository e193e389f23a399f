import { simulatedToken } from "@rhone/common";
import type { rhone } from "@rhone/proto";
import { expect, it } from "vitest";
import { VirtualClock } from "./virtual-clock.js";
import { VirtualPipeline } from "./virtual-pipeline.js";

/** Two stages of 10 ms a step and 1 ms a row, hops of 2 ms. */
function setUp() {
  const clock = new VirtualClock();
  const results: { readonly step: number; readonly atMs: number; readonly result: rhone.v1.StepResult.$Properties }[] =
    [];
  const pipeline = new VirtualPipeline({
    clock,
    stages: 2,
    pages: 8,
    vocabSize: 1000,
    stageMs: 10,
    rowMs: 1,
    hopMs: 2,
    onResult: (step, result) => results.push({ step, atMs: clock.nowMs, result }),
  });
  const run = () => {
    while (clock.step(1e6));
    return results;
  };
  return { pipeline, run };
}

const stepOf = (...tokens: readonly number[]): rhone.v1.Step.$Properties => ({
  tokens: new Uint8Array(Int32Array.from(tokens).buffer),
  spans: [{ sequence: 1, position: 5, count: tokens.length, sample: true }],
});

it("takes a step through every stage and hop", () => {
  const { pipeline, run } = setUp();
  pipeline.send(stepOf(7));
  // 3 hops of 2 ms and 2 stages of 11 ms.
  expect(run()).toMatchObject([{ step: 1, atMs: 28 }]);
});

it("lets a step wait for the one before it, and says how long", () => {
  const { pipeline, run } = setUp();
  pipeline.send(stepOf(7));
  pipeline.send(stepOf(8));
  const results = run();
  expect(results.map(({ atMs }) => atMs)).toEqual([28, 39]);
  expect(results[1]?.result.timings).toEqual([
    { stage: 0, queuedUs: 11_000, computeUs: 11_000, idleUs: 0 },
    { stage: 1, queuedUs: 0, computeUs: 11_000, idleUs: 0 },
  ]);
});

it("draws by the rule of simulated stages, and nothing where nothing is asked for", () => {
  const { pipeline, run } = setUp();
  pipeline.send(stepOf(7, 8));
  pipeline.send({ tokens: new Uint8Array(4), spans: [{ sequence: 2, position: 0, count: 1, sample: false }] });
  const [first, second] = run().map(({ result }) => result.spans);
  expect(first).toEqual([{ sequence: 1, tokens: [{ token: simulatedToken(8, 6, 1000) }] }]);
  expect(second).toEqual([{ sequence: 2, tokens: [] }]);
});

it("takes a carried row's token from what the sequence drew last", () => {
  const { pipeline, run } = setUp();
  pipeline.send(stepOf(7));
  pipeline.send({
    tokens: new Uint8Array(4),
    spans: [{ sequence: 1, position: 6, count: 1, sample: true, carried: true }],
  });
  const drawn = simulatedToken(7, 5, 1000);
  expect(run()[1]?.result.spans).toEqual([{ sequence: 1, tokens: [{ token: simulatedToken(drawn, 6, 1000) }] }]);
});

it("refuses to carry a token for a sequence that has drawn nothing", () => {
  const { pipeline, run } = setUp();
  pipeline.send({
    tokens: new Uint8Array(4),
    spans: [{ sequence: 2, position: 6, count: 1, sample: true, carried: true }],
  });
  expect(run).toThrow("sequence 2 is carried and has drawn nothing");
});

it("computes nothing for a step of closes alone", () => {
  const { pipeline, run } = setUp();
  pipeline.send({ closes: [1] });
  expect(run()).toMatchObject([{ atMs: 6 }]);
});

it("reports the calibration of its times", () => {
  const { pipeline } = setUp();
  expect(pipeline.stepTimes).toHaveLength(2);
  expect(pipeline.stepTimes[0]).toMatchObject({
    layers: 1,
    curve: [
      { rows: 1, layerMs: 11 },
      { rows: 64, layerMs: 74 },
    ],
  });
});
