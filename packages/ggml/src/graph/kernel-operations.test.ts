import type { KernelChoice } from "@rhone/common";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { openEngine } from "../native/engine.js";
import { PackedWeight } from "../tensors/packed-weight.js";
import type { Tensor } from "../tensors/tensor.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series, worstDifference } from "../testing/series.js";
import { WeightStore } from "../weights/weight-store.js";
import { Graph } from "./graph.js";

const engine = openEngine();

interface Shape {
  readonly type: GgmlType;
  readonly k: number;
  readonly n: number;
  readonly rows: number;
}

const EPS = 1e-5;
const HOWS = ["plain", "norm", "swiglu"] as const;
type How = (typeof HOWS)[number];

/** A product of rows that are made in one of the ways, added to a residual; by kernels or by ggml's own operations. */
async function compute(backend: Backend, how: How, { type, k, n, rows }: Shape): Promise<Float32Array> {
  const store = WeightStore.open(backend, [{ name: "w", type, ne: [k, n], use: "matmul" }]);
  onTestFinished(() => store.close());
  await store.setAsync("w", quantizeChunk(engine, { type, source: series(k * n, 1), nPerRow: k }));
  const graph = Graph.open(backend, { maxTensors: 64 });
  onTestFinished(() => graph.close());
  const [x, other, factors, residual] = [
    graph.input(GgmlType.F32, [k, rows]),
    graph.input(GgmlType.F32, [k, rows]),
    graph.input(GgmlType.F32, [k]),
    graph.input(GgmlType.F32, [n, rows]),
  ];
  const weight = store.weight("w");
  const sources = {
    plain: { how: "plain", x },
    norm: { how: "norm", x, factors, eps: EPS },
    swiglu: { how: "swiglu", gate: x, up: other },
  } as const;
  const result = graph.output(
    weight instanceof PackedWeight && graph.kernels !== undefined
      ? graph.kernels.product(weight, graph.kernels.quantize(sources[how], graph.kernels.kindFor(weight)), residual)
      : graph.add(residual, graph.mulMat(weight as Tensor, unfused(graph, how, { x, other, factors }))),
  );
  graph.allocate();
  for (const [seed, tensor] of [x, other, factors, residual].entries())
    if (graph.isNeeded(tensor)) graph.setInput(tensor, series(tensor.packedBytes / 4, seed + 2));
  await backend.compute(graph);
  return graph.read(result, new Float32Array(n * rows));
}

function unfused(
  graph: Graph,
  how: How,
  { x, other, factors }: { readonly x: Tensor; readonly other: Tensor; readonly factors: Tensor },
): Tensor {
  if (how === "norm") return graph.mul(graph.rmsNorm(x, EPS), factors);
  return how === "swiglu" ? graph.swigluSplit(x, other) : x;
}

function withBackend(choice: KernelChoice): Backend {
  const backend = backendWith(choice);
  onTestFinished(() => backend.close());
  return backend;
}

/** Products whose k, n and rows fit no tile, and some that do. */
const SHAPES: readonly Shape[] = [
  { type: GgmlType.Q4_0, k: 32, n: 1, rows: 1 },
  { type: GgmlType.Q4_0, k: 96, n: 17, rows: 3 },
  { type: GgmlType.Q4_0, k: 1056, n: 144, rows: 7 },
  { type: GgmlType.Q4_0, k: 256, n: 256, rows: 33 },
  ...[GgmlType.Q4_1, GgmlType.Q8_0].map((type) => ({ type, k: 1056, n: 49, rows: 33 })),
  ...[GgmlType.Q4_K, GgmlType.Q5_K, GgmlType.Q6_K].map((type) => ({ type, k: 1280, n: 145, rows: 18 })),
];

describe.each(kernelVariants)("Kernels %s", (variant) => {
  it.each(SHAPES.flatMap((shape) => HOWS.map((how) => ({ ...shape, how }))))(
    "compute $how rows times a weight, plus a residual, as ggml does step by step: type $type, [$k, $n], $rows rows",
    async ({ how, ...shape }) => {
      const ours = await compute(withBackend(variant), how, shape);
      const theirs = await compute(withBackend("ggml"), how, shape);
      const largest = theirs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // Both round rows to 8 bits; a last bit of the norm or of silu may round a number to its neighbour.
      expect(worstDifference(ours, theirs) / largest).toBeLessThan(2e-3);
    },
  );
});

describe.skipIf(kernelVariants.length === 0)("All kernels", () => {
  it.each(SHAPES.filter(({ rows }) => rows === 33))(
    "have the same bits, for a row alone as among 33: type $type, [$k, $n]",
    async (shape) => {
      const expected = await compute(withBackend("auto"), "norm", shape);
      for (const variant of kernelVariants) {
        expect(await compute(withBackend(variant), "norm", shape)).toEqual(expected);
        const alone = await compute(withBackend(variant), "norm", { ...shape, rows: 1 });
        expect(alone).toEqual(expected.subarray(0, shape.n));
      }
    },
  );
});

describe("KernelOperations", () => {
  const [variant] = kernelVariants;

  it.skipIf(variant === undefined)(
    "share quantized rows between products, and refuse rows of another width",
    async () => {
      const backend = withBackend("auto");
      const specs = ["a", "b"].map((name) => ({ name, type: GgmlType.Q4_0, ne: [64, 32], use: "matmul" }) as const);
      const odd = { name: "odd", type: GgmlType.Q4_0, ne: [96, 32], use: "matmul" } as const;
      const store = WeightStore.open(backend, [...specs, odd]);
      onTestFinished(() => store.close());
      const graph = Graph.open(backend, { maxTensors: 16 });
      onTestFinished(() => graph.close());
      const [a, b, c] = ["a", "b", "odd"].map((name) => store.weight(name) as PackedWeight);
      const x = graph.input(GgmlType.F32, [64, 2]);
      const { kernels } = graph;
      if (kernels === undefined || a === undefined || b === undefined || c === undefined) throw new Error("no kernels");
      const rows = kernels.quantize({ how: "plain", x }, kernels.kindFor(a));
      expect([kernels.product(a, rows).ne, kernels.product(b, rows).ne]).toEqual([
        [32, 2, 1, 1],
        [32, 2, 1, 1],
      ]);
      expect(() => kernels.product(c, rows)).toThrow(
        "Rows of 64 numbers, kind 0, can't be multiplied by a weight of [96, 32]",
      );
    },
  );

  it.skipIf(variant === undefined)(
    "multiply by several weights in one node, each as it is multiplied alone, to the bit",
    async () => {
      const backend = withBackend("auto");
      const specs = [
        { name: "q", type: GgmlType.Q4_K, ne: [256, 300] },
        { name: "k", type: GgmlType.Q4_K, ne: [256, 16] },
        { name: "v", type: GgmlType.Q6_K, ne: [256, 130] },
      ] as const;
      const store = WeightStore.open(
        backend,
        specs.map((spec) => ({ ...spec, use: "matmul" })),
      );
      onTestFinished(() => store.close());
      for (const [seed, { name, type, ne }] of specs.entries())
        await store.setAsync(
          name,
          quantizeChunk(engine, { type, source: series(ne[0] * ne[1], seed), nPerRow: ne[0] }),
        );
      const graph = Graph.open(backend, { maxTensors: 64 });
      onTestFinished(() => graph.close());
      const x = graph.input(GgmlType.F32, [256, 5]);
      const { kernels } = graph;
      const weights = specs.map(({ name }) => store.weight(name) as PackedWeight);
      if (kernels === undefined) throw new Error("no kernels");
      const rows = kernels.quantize({ how: "plain", x }, kernels.kindFor(weights[0] as PackedWeight));
      const results = [...kernels.products(weights, rows), ...weights.map((weight) => kernels.product(weight, rows))];
      for (const result of results) graph.output(result);
      graph.allocate();
      graph.setInput(x, series(256 * 5, 7));
      await backend.compute(graph);
      const numbers = results.map((result) => graph.read(result, new Float32Array(result.packedBytes / 4)));
      expect(numbers.slice(0, 3)).toEqual(numbers.slice(3));
      expect(numbers.map(({ length }) => length)).toEqual([1500, 80, 650, 1500, 80, 650]);
      expect(numbers.flatMap((each) => [...each]).every((value) => value !== 0)).toBe(true);
    },
  );

  it.skipIf(variant === undefined)(
    "say when a graph has no room for another node, and have it again after a reset",
    () => {
      const backend = withBackend("auto");
      const graph = Graph.open(backend, { maxTensors: 3 });
      onTestFinished(() => graph.close());
      const quantize = () => graph.kernels?.quantize({ how: "plain", x: graph.input(GgmlType.F32, [64, 2]) }, 0);
      quantize();
      expect(() => [quantize(), quantize()]).toThrow(expect.objectContaining({ code: "GGML_FAILED" }));
      graph.reset();
      expect(quantize()?.rows).toBe(2);
    },
  );

  it("are absent without kernels", () => {
    const backend = withBackend("ggml");
    const graph = Graph.open(backend, { maxTensors: 16 });
    onTestFinished(() => graph.close());
    expect(graph.kernels).toBeUndefined();
  });
});
