import { GgmlType } from "@rhone/ggml";
import { afterAll, expect, it } from "vitest";
import { openTestBackend } from "../testing/test-backend.js";
import { type VaryingShard, whyVaries } from "./why-varies.js";

const { backend } = openTestBackend("auto");
const ggml = openTestBackend("ggml").backend;
afterAll(() => {
  for (const each of [backend, ggml]) each.close();
});

const HEAD = { name: "output.weight", type: GgmlType.F16 };

function shardOf(unpacked: VaryingShard["weights"]["unpacked"], headDim = 64, type: GgmlType = GgmlType.F16) {
  const pages = { shape: { layers: [0], type, pageSize: 32, pages: 4, kvDim: 2 * headDim } };
  return { weights: { unpacked }, pages, config: { nHeads: 4, headDim, slidingWindow: 0 } };
}

it("says that without kernels everything is ggml's", () => {
  expect(whyVaries(ggml, shardOf([]))).toBe("ggml computes everything on CPU");
});

it.skipIf(backend.kernels === undefined).each([
  ["", shardOf([])],
  ["ggml computes products with output.weight, F16", shardOf([HEAD])],
  ["ggml computes products with output.weight, F16 and 2 more", shardOf([HEAD, HEAD, HEAD])],
  ["ggml computes attention with heads of 72 over F16 pages", shardOf([], 72)],
  ["ggml computes attention with heads of 80 over Q8_0 pages", shardOf([], 80, GgmlType.Q8_0)],
])("says what ggml computes beside the kernels: %s", (expected, shard) => {
  expect(whyVaries(backend, shard)).toBe(expected);
});
