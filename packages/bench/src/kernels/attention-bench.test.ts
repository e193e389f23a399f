import { Backend, chooseKernels, openEngine } from "@rhone/ggml";
import { afterAll, expect, it } from "vitest";
import { measureAttention } from "./attention-bench.js";

const engine = openEngine();
const { kernels } = chooseKernels(engine, "auto");
const backends = {
  engine,
  ours: Backend.open(engine, { threads: 1, kernels }),
  ggml: Backend.open(engine, { threads: 1 }),
};
afterAll(() => {
  backends.ours.close();
  backends.ggml.close();
});

it.skipIf(kernels === undefined).each([
  { sequences: 1, context: 40 },
  { sequences: 3, context: 64 },
])("decode attention of $sequences sequence(s) at $context positions is timed on both sides", async (load) => {
  const { ours, ggml } = await measureAttention(backends, load, 2);
  for (const { median, least } of [ours, ggml]) expect(median).toBeGreaterThanOrEqual(least);
  expect(Math.min(ours.least, ggml.least)).toBeGreaterThan(0);
});
