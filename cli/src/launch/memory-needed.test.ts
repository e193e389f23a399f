import type { PlannableModel } from "@rhone/planner";
import { expect, test } from "vitest";
import type { ClusterOptions } from "./cluster-options.js";
import { memoryNeeded } from "./memory-needed.js";

const GB = 1e9;
/** 8 layers of 100 MB, and K/V pages of 64 KiB in a layer. */
const MODEL: PlannableModel = {
  config: { dim: 4096, nLayers: 8, nKvHeads: 8, headDim: 64, contextLength: 1024, slidingWindow: 0 },
  weightBytes: { layers: Array<number>(8).fill(0.1 * GB), embedding: 0, head: 0, total: 0.8 * GB },
};
const PAGE = 32 * 8 * 64 * 2 * 2;
const needed = (workers: number, memory: number | undefined, changes: Partial<ClusterOptions> = {}): number =>
  memoryNeeded(
    MODEL,
    { dataDir: "/d", model: "m", host: "", port: 0, kvType: "f16", maxSequences: 2, ...changes },
    { workers, memory },
  );

test("weights and the pages of all sequences, however many workers share them", () => {
  const pages = 2 * (1024 / 32) * 8 * PAGE;
  expect(needed(1, 8 * GB)).toBe(0.8 * GB + pages);
  expect(needed(4, 2 * GB)).toBe(0.8 * GB + pages);
});

test("fewer pages where memory is short: 40 % of what the weights leave", () => {
  const all = needed(1, 1 * GB, { maxSequences: 64 });
  expect(all).toBeGreaterThan(0.87 * GB);
  expect(all).toBeLessThanOrEqual(0.88 * GB);
});

test("spare shards, too", () => {
  expect(needed(4, 2 * GB, { spares: 1 }) - needed(4, 2 * GB)).toBe(0.8 * GB);
});

test("all that they may use, where the model does not fit and others may join", () => {
  expect(needed(2, 0.1 * GB)).toBe(0.2 * GB);
});

test.each([
  ["on a device", 8 * GB, { device: "CUDA0" }],
  ["of a device that says itself what it has", undefined, {}],
  ["of simulated workers", 8 * GB, { simulate: "null" }],
])("nothing %s", (_, memory, changes) => expect(needed(2, memory, changes)).toBe(0));
