import type { KernelChoice } from "@rhone/common";
import { describe, expect, it, onTestFinished } from "vitest";
import { GgmlType } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { openEngine } from "../native/engine.js";
import { PackedWeight } from "../tensors/packed-weight.js";
import type { Tensor } from "../tensors/tensor.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series } from "../testing/series.js";
import { WeightStore } from "../weights/weight-store.js";
import { Graph } from "./graph.js";

const engine = openEngine();
const [K, N, ROWS, EPS] = [512, 48, 5, 1e-5];
/** The element of x that is spoiled, in the row before the last. */
const SPOILED = { row: 3, at: 3 * K + 37 };

type How = "plain" | "norm" | "swiglu";

/** A product of rows one of whose elements is `value`, made in one of the ways; by kernels or by ggml's operations. */
async function compute(choice: KernelChoice, { type, how, value }: { type: GgmlType; how: How; value: number }) {
  const backend = backendWith(choice);
  onTestFinished(() => backend.close());
  const store = WeightStore.open(backend, [{ name: "w", type, ne: [K, N], use: "matmul" }]);
  onTestFinished(() => store.close());
  await store.setAsync("w", quantizeChunk(engine, { type, source: series(K * N, 1), nPerRow: K }));
  const graph = Graph.open(backend, { maxTensors: 32 });
  onTestFinished(() => graph.close());
  const x = graph.input(GgmlType.F32, [K, ROWS]);
  const other = graph.input(GgmlType.F32, how === "norm" ? [K] : [K, ROWS]);
  const result = graph.output(product(graph, store.weight("w"), { how, x, other }));
  graph.allocate();
  graph.setInput(x, series(K * ROWS, 2).fill(value, SPOILED.at, SPOILED.at + 1));
  if (graph.isNeeded(other)) graph.setInput(other, series(other.packedBytes / 4, 3));
  await backend.compute(graph);
  const rows = graph.read(result, new Float32Array(N * ROWS));
  const first = SPOILED.row * N;
  return { spoiled: rows.slice(first, first + N), others: [...rows.slice(0, first), ...rows.slice(first + N)] };
}

function product(
  graph: Graph,
  weight: Tensor | PackedWeight,
  { how, x, other }: { readonly how: How; readonly x: Tensor; readonly other: Tensor },
): Tensor {
  const { kernels } = graph;
  if (weight instanceof PackedWeight && kernels !== undefined) {
    const sources = {
      plain: { how: "plain", x },
      norm: { how: "norm", x, factors: other, eps: EPS },
      swiglu: { how: "swiglu", gate: x, up: other },
    } as const;
    return kernels.product(weight, kernels.quantize(sources[how], kernels.kindFor(weight)));
  }
  const made = {
    plain: () => x,
    norm: () => graph.mul(graph.rmsNorm(x, EPS), other),
    swiglu: () => graph.swigluSplit(x, other),
  };
  return graph.mulMat(weight as Tensor, made[how]());
}

const TYPES = (["Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"] as const).map((name) => ({
  name,
  type: GgmlType[name],
}));

/** What a row becomes. A NaN that is alone in its row is rounded to an int8 like any number, by ggml too. */
const CASES: readonly { readonly how: How; readonly value: number; readonly becomes: keyof typeof HOLDS }[] = [
  { how: "norm", value: Number.NaN, becomes: "NaN" },
  { how: "plain", value: Number.POSITIVE_INFINITY, becomes: "not finite" },
  { how: "plain", value: Number.NEGATIVE_INFINITY, becomes: "not finite" },
  { how: "swiglu", value: Number.POSITIVE_INFINITY, becomes: "not finite" },
  { how: "swiglu", value: Number.NEGATIVE_INFINITY, becomes: "not finite" },
  { how: "norm", value: Number.POSITIVE_INFINITY, becomes: "finite" }, // 1 / infinity is what the norm multiplies by
  { how: "plain", value: Number.NaN, becomes: "finite" },
  { how: "swiglu", value: Number.NaN, becomes: "finite" },
];
const HOLDS = {
  NaN: (row: Float32Array) => row.every(Number.isNaN),
  "not finite": (row: Float32Array) => !row.some(Number.isFinite),
  finite: (row: Float32Array) => row.every(Number.isFinite),
};

describe.each(kernelVariants)("Kernels %s", (variant) => {
  it.each(CASES)("make a row with $value $becomes, $how, and leave the other rows as they are", async (each) => {
    const { how, value, becomes } = each;
    for (const { name, type } of TYPES) {
      const { spoiled, others } = await compute(variant, { type, how, value });
      expect([name, HOLDS[becomes](spoiled)]).toEqual([name, true]);
      expect(others).toEqual((await compute(variant, { type, how, value: 0.5 })).others);
    }
  });

  it.each(CASES.filter(({ becomes }) => becomes !== "finite"))(
    "are no less strict than ggml with $value, $how",
    async ({ how, value }) => {
      for (const { name, type } of TYPES) {
        const theirs = (await compute("ggml", { type, how, value })).spoiled;
        const ours = (await compute(variant, { type, how, value })).spoiled;
        const passed = ours.filter((number, i) => Number.isFinite(number) && !Number.isFinite(theirs[i]));
        expect([name, passed]).toEqual([name, new Float32Array()]);
      }
    },
  );
});
