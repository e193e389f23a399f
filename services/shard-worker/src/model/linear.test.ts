import { GgmlType, Graph, quantizeChunk, WeightStore } from "@rhone/ggml";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { randomNumbers } from "../../../../packages/model/src/testing/random-model.js";
import { linear as plainLinear, type Rows, worstDifference } from "../testing/plain-math.js";
import { openTestBackend } from "../testing/test-backend.js";
import { linear } from "./linear.js";

const { engine, backend } = openTestBackend();
const graph = Graph.open(backend);
afterAll(() => {
  graph.close();
  backend.close();
});

const [IN, OUT] = [64, 96];

/** Rows of x times a weight [OUT, IN] that is stored as `type`. */
async function product(x: Rows, weight: Float32Array, type: GgmlType): Promise<Rows> {
  const store = WeightStore.open(backend, [{ name: "w", type, ne: [IN, OUT], use: "matmul" }]);
  onTestFinished(() => store.close());
  store.set("w", quantizeChunk(engine, { type, source: weight, nPerRow: IN }));
  graph.reset();
  const input = graph.input(GgmlType.F32, [IN, x.length]);
  const out = graph.output(linear(graph, input, store.weight("w")));
  graph.allocate();
  graph.setInput(input, Float32Array.from(x.flat()));
  await backend.compute(graph);
  const numbers = graph.read(out, new Float32Array(OUT * x.length));
  return x.map((_, row) => [...numbers.subarray(row * OUT, (row + 1) * OUT)]);
}

const random = randomNumbers(1);
const weight = Float32Array.from({ length: IN * OUT }, () => random() / 8);
const x = Array.from({ length: 19 }, () => Array.from({ length: IN }, random));

test.each([
  // Sums of 64 products of numbers below 1 and 1/8; ggml rounds x to 8 bits for quantized weights.
  ["F32", GgmlType.F32, 1e-5],
  ["F16", GgmlType.F16, 3e-3],
  ["Q8_0", GgmlType.Q8_0, 3e-2],
  ["Q4_0", GgmlType.Q4_0, 0.3],
] as const)("a weight of type %s multiplies each row, within its rounding", async (_, type, tolerance) => {
  const expected = plainLinear(x, weight);
  expect(worstDifference(await product(x, weight, type), expected)).toBeLessThan(tolerance);
  expect(worstDifference(await product(x.slice(0, 1), weight, type), expected.slice(0, 1))).toBeLessThan(tolerance);
});
