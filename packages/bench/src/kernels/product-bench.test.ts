import { Backend, chooseKernels, GgmlType, openEngine } from "@rhone/ggml";
import { afterAll, describe, expect, it } from "vitest";
import { MATRICES, ProductBench } from "./product-bench.js";

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

describe("ProductBench", () => {
  it.each([1, 5])("times both sides' products with %i row(s), again and again", async (rows) => {
    const bench = await ProductBench.open(backends, GgmlType.Q4_0, { name: "small", k: 256, rows: 128 });
    for (let again = 0; again < 2; again++) {
      const { ours, ggml, ratio } = await bench.measure(rows, 2);
      for (const { median, least } of [ours, ggml]) {
        expect(least).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(least);
      }
      expect(ratio.least).toBeCloseTo(ggml.least / ours.least);
    }
    bench.close();
  });

  it("has Mistral 7B's matrices: 7.2 G weights with 32 layers", () => {
    const times = { "q, o": 2 * 32, "k, v": 2 * 32, "gate, up": 2 * 32, down: 32, head: 1 };
    const weights = MATRICES.reduce((sum, { name, k, rows }) => sum + k * rows * times[name as keyof typeof times], 0);
    expect(weights / 1e9).toBeCloseTo(7.11, 2);
  });
});
