import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { CALIBRATION_ENTRY } from "../processes/entry-points.js";
import { planMachine } from "./plan-machine.js";

const path = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));
const request = (memory: number) => ({
  options: { kvType: "f16" as const },
  plan: {
    model: { name: "breeze", path, description: "", slidingWindow: undefined, chatTemplate: "", contextLength: 4096 },
    workers: 2,
    threads: 1,
    memory,
  },
  memory,
  streams: [1, 8],
  entry: CALIBRATION_ENTRY,
  signal: new AbortController().signal,
  onPhase: () => {},
});

it("plans a model by timing its layers in processes of their own, as asked and with one worker", async () => {
  const { shape, single, contextLength } = await planMachine(request(1e9));
  expect(contextLength).toBe(4096);
  expect(shape.stages.map(({ first, heads }) => [first > 0, heads])).toEqual([
    [false, false],
    [true, true],
  ]);
  expect(shape.stages.at(-1)?.last).toBe(32);
  expect(single).toMatchObject({ workers: 1, threads: 2, stages: [{ first: 0, last: 32 }] });
  for (const { predictions } of [shape, single ?? shape]) {
    for (const { tokensPerSecond } of predictions) expect(tokensPerSecond).toBeGreaterThan(0);
  }
}, 60_000);

it("refuses what does not fit before it times anything", async () => {
  await expect(planMachine({ ...request(1e6), entry: "/nowhere.js" })).rejects.toMatchObject({
    code: "NOT_ENOUGH_MEMORY",
  });
});

it("compares a single worker with nothing", async () => {
  const planned = await planMachine({ ...request(1e9), plan: { ...request(1e9).plan, workers: 1, threads: 2 } });
  expect(planned).toMatchObject({ single: null, singleRefused: null, shape: { workers: 1, threads: 2 } });
}, 60_000);
