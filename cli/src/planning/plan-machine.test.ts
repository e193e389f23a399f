import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { CALIBRATION_ENTRY } from "../processes/entry-points.js";
import { planMachine } from "./plan-machine.js";
import { openPlannedModel } from "./planned-model.js";

const path = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));
const search = { modelsDir: "/nowhere" };

async function request(memory: number, nameOrPath = path) {
  const model = await openPlannedModel(nameOrPath, search);
  onTestFinished(() => model.close());
  const tasks: string[] = [];
  return {
    options: { kvType: "f16" as const },
    model,
    machine: { cores: 2 },
    division: { workers: 2, threads: 1, why: null },
    ...{ memory, memoryFrom: "set by --memory" },
    streams: [1, 8],
    link: null,
    entry: CALIBRATION_ENTRY,
    signal: new AbortController().signal,
    tasks: { begin: (task: string) => void tasks.push(task), progress: () => {}, all: tasks },
  };
}

it("plans a model by timing its layers in processes of their own, as asked and with one worker", async () => {
  const asked = await request(1e9);
  const { shape, single, contextLength, activations, randomType } = await planMachine(asked);
  expect(contextLength).toBe(4096);
  expect(randomType).toBeNull();
  expect(activations).toEqual({ type: "f32", bytes: 512, link: null, smaller: null });
  expect(asked.tasks.all).toEqual([
    "loading 8 layers into 2 workers with 1 thread each",
    "timing 2 workers with 1 thread each",
    "loading 8 layers into 1 worker with 2 threads",
    "timing 1 worker with 2 threads",
  ]);
  expect(shape.stages.map(({ first, heads }) => [first > 0, heads])).toEqual([
    [false, false],
    [true, true],
  ]);
  expect(shape.stages.at(-1)?.last).toBe(32);
  expect(shape.stages[0]?.memoryFrom).toBe("set by --memory");
  expect(single).toMatchObject({ workers: 1, threads: 2, stages: [{ first: 0, last: 32 }] });
  for (const { predictions } of [shape, single ?? shape]) {
    for (const { tokensPerSecond } of predictions) expect(tokensPerSecond).toBeGreaterThan(0);
  }
}, 60_000);

it("refuses what does not fit before it times anything", async () => {
  await expect(planMachine({ ...(await request(1e6)), entry: "/nowhere.js" })).rejects.toMatchObject({
    code: "NOT_ENOUGH_MEMORY",
  });
});

it("compares a single worker with nothing, and says why it is one", async () => {
  const division = { workers: 1, threads: 2, why: "It is fastest." };
  const planned = await planMachine({ ...(await request(1e9)), division });
  const alone = { single: null, singleRefused: null, activations: null, why: "It is fastest." };
  expect(planned).toMatchObject({ ...alone, shape: { workers: 1, threads: 2 } });
}, 60_000);

it("plans with all options that decide about pages, activations and the link", async () => {
  const asked = await request(1e9);
  const options = { ...asked.options, maxSequences: 2, activationType: "q8_0" as const, context: 64, maxRows: 32 };
  const slow = await planMachine({ ...asked, options, link: 1000 });
  // Breeze sees 64 positions: 2 sequences of at most 2 pages.
  expect(slow.shape.pages).toBe(4);
  expect(slow).toMatchObject({ contextLength: 64, activations: { type: "q8_0", bytes: 136, smaller: null } });
  // A row takes 136 ms on 1 kB/s.
  for (const { tokensPerSecond } of slow.shape.predictions) expect(tokensPerSecond).toBeLessThanOrEqual(1000 / 136);
  expect(slow.single?.predictions[0]?.tokensPerSecond).toBeGreaterThan(1000 / 136);
}, 60_000);

it("refuses a context beyond the model's", async () => {
  const asked = await request(1e9);
  const refused = planMachine({ ...asked, options: { ...asked.options, context: 5000 } });
  await expect(refused).rejects.toMatchObject({ code: "INVALID_CONFIG", message: expect.stringContaining("4096") });
});

it("plans a model that was not downloaded by its shape, and leaves no file", async () => {
  const asked = await request(2e9, "smollm2");
  const planned = await planMachine({ ...asked, division: { workers: 1, threads: 1, why: null } });
  expect(planned).toMatchObject({ model: "smollm2-135m-instruct", randomType: "Q4_1", contextLength: 8192 });
  expect(planned.shape.stages).toMatchObject([{ first: 0, last: 30 }]);
  // Its file without the vocabulary.
  expect(planned.shape.stages[0]?.weightBytes).toBe(96_576_768);
  expect(asked.tasks.all[0]).toBe("writing layers of smollm2-135m-instruct's shape with random weights");
  const file = await asked.model.timedFile(() => {}, asked.signal);
  await asked.model.close();
  expect(existsSync(file)).toBe(false);
}, 60_000);
