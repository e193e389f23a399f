import type { KernelChoice } from "@rhone/common";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Backend } from "../backend/backend.js";
import { GgmlType, rowSize } from "../elements/ggml-type.js";
import type { Tensor } from "../tensors/tensor.js";
import { TensorStorage } from "../tensors/tensor-storage.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series, worstDifference } from "../testing/series.js";
import { SPAN_COLUMNS } from "./attention-operations.js";
import { Graph } from "./graph.js";
import type { RopeMode, RopeOptions } from "./operation-options.js";

const HEAD_DIM = 64;
const N_HEADS = 6;
const N_KV_HEADS = 2;
const PAGE_SIZE = 16;
const [WIDTH, KV_DIM] = [N_HEADS * HEAD_DIM, N_KV_HEADS * HEAD_DIM];
/** Three spans, ten rows, and the row of the pages that each is written to. */
const SPANS = [0, 1, 4000, 0, 250, 1, 8, 14, 1, 0, 9, 1, 0, 3, 0];
const TABLES = [5, 3, 0, 2];
const ROWS = 10;
const CACHE_ROWS = [80, 62, 63, 0, 1, 2, 3, 4, 5, 32];
const POSITIONS = [4000, 14, 15, 16, 17, 18, 19, 20, 21, 0];
const FACTORS = Float32Array.from({ length: HEAD_DIM / 2 }, (_, i) => 1 + i / 10);

interface Case {
  readonly mode: RopeMode;
  readonly type: GgmlType;
  readonly dims?: number;
  readonly freqScale?: number;
  readonly factors?: boolean;
}

interface Written {
  readonly q: Float32Array;
  readonly k: Uint8Array;
  readonly v: Uint8Array;
}

/** q, k and v are side by side, as the product that makes all three leaves them. */
interface Row {
  readonly rope: RopeOptions;
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly kPages: Tensor;
  readonly vPages: Tensor;
}

async function write(
  backend: Backend,
  { mode, type, dims = HEAD_DIM, freqScale = 1, factors }: Case,
): Promise<Written> {
  const graph = Graph.open(backend, { maxTensors: 64 });
  onTestFinished(() => graph.close());
  const ne = [KV_DIM, 6 * PAGE_SIZE] as const;
  const pages = TensorStorage.open(backend, [
    { name: "k", type, ne },
    { name: "v", type, ne },
  ]);
  onTestFinished(() => pages.close());
  const bytes = rowSize(type, KV_DIM) * 6 * PAGE_SIZE;
  for (const name of ["k", "v"]) pages.zero(name, 0, bytes);
  const inputs = {
    q: graph.input(GgmlType.F32, [WIDTH, ROWS]),
    k: graph.input(GgmlType.F32, [KV_DIM, ROWS]),
    v: graph.input(GgmlType.F32, [KV_DIM, ROWS]),
    factors: graph.input(GgmlType.F32, [dims / 2]),
  };
  const rope = { mode, dims, freqBase: 10000, freqScale, ...(factors === true ? { freqFactors: inputs.factors } : {}) };
  const row = { rope, ...inputs, kPages: pages.get("k"), vPages: pages.get("v") };
  const { q, fill } = graph.kernels === undefined ? byGgml(graph, row) : byKernels(graph, row, type);
  graph.output(q);
  graph.allocate();
  fill();
  for (const [seed, tensor] of [inputs.q, inputs.k, inputs.v].entries())
    graph.setInput(
      tensor,
      series(tensor.packedBytes / 4, seed + 1).map((x) => 3 * x),
    );
  if (factors === true) graph.setInput(inputs.factors, FACTORS.subarray(0, dims / 2));
  await backend.compute(graph);
  const [k, v] = [new Uint8Array(bytes), new Uint8Array(bytes)];
  pages.read("k", k, 0);
  pages.read("v", v, 0);
  return { q: graph.read(q, new Float32Array(ROWS * WIDTH)), k, v };
}

function byKernels(graph: Graph, row: Row, type: GgmlType) {
  const attention = graph.kernels?.attention;
  if (attention === undefined) throw new Error("no kernels");
  const spans = graph.input(GgmlType.I32, [SPAN_COLUMNS, SPANS.length / SPAN_COLUMNS]);
  const tables = graph.input(GgmlType.I32, [TABLES.length]);
  const rotations = attention.rotations(row.rope, { spans, tables }, ROWS);
  const heads = { headDim: HEAD_DIM, nHeads: N_HEADS, nKvHeads: N_KV_HEADS };
  const shape = { type, pageSize: PAGE_SIZE, ...heads, slidingWindow: 0 };
  const q = attention.writeKv(shape, row.rope, { ...row, spans, tables, rotations });
  const fill = () => {
    graph.setInput(spans, Int32Array.from(SPANS));
    graph.setInput(tables, Int32Array.from(TABLES));
  };
  return { q, fill };
}

function byGgml(graph: Graph, { rope, q, k, v, kPages, vPages }: Row) {
  const positions = graph.input(GgmlType.I32, [ROWS]);
  const cacheRows = graph.input(GgmlType.I32, [ROWS]);
  const rotated = (x: Tensor) =>
    graph.ropeExt(graph.reshape3d(x, [HEAD_DIM, x.ne[0] / HEAD_DIM, ROWS]), positions, rope);
  graph.expand(graph.setRows(kPages, graph.reshape2d(rotated(k), [KV_DIM, ROWS]), cacheRows));
  graph.expand(graph.setRows(vPages, v, cacheRows));
  const fill = () => {
    graph.setInput(positions, Int32Array.from(POSITIONS));
    graph.setInput(cacheRows, Int32Array.from(CACHE_ROWS));
  };
  return { q: rotated(q), fill };
}

function withBackend(choice: KernelChoice, threads: number): Backend {
  const backend = backendWith(choice, threads);
  onTestFinished(() => backend.close());
  return backend;
}

const CASES: readonly Case[] = [
  { mode: "norm", type: GgmlType.F16 },
  { mode: "neox", type: GgmlType.F16 },
  { mode: "norm", type: GgmlType.F32, freqScale: 0.25 },
  { mode: "neox", type: GgmlType.F32, factors: true },
  { mode: "norm", type: GgmlType.Q8_0, factors: true, freqScale: 0.5 },
  { mode: "neox", type: GgmlType.Q8_0, dims: 32 },
  { mode: "norm", type: GgmlType.F16, dims: 20 },
];

describe.each(kernelVariants)("rotating and writing with %s", (choice) => {
  it.each(CASES)("are ggml's rope and set_rows: %o", async (testCase) => {
    const theirs = await write(withBackend("ggml", 1), testCase);
    for (const threads of [1, 3]) {
      const ours = await write(withBackend(choice, threads), testCase);
      expect(worstDifference(ours.q, theirs.q)).toBe(0);
      for (const pages of ["k", "v"] as const) expect(Buffer.compare(ours[pages], theirs[pages])).toBe(0);
    }
  });
});
