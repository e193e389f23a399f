import { availableParallelism } from "node:os";
import { RhoneError } from "@rhone/common";
import { Backend, chooseKernels, GgmlType, openEngine, typeInfo } from "@rhone/ggml";
import { CpuClock, otherCores } from "../figures/cpu-clock.js";
import type { Compared } from "../kernels/alternate.js";
import { type AttentionLoad, measureAttention } from "../kernels/attention-bench.js";
import { type Backends, MATRICES, type MatrixShape, ProductBench } from "../kernels/product-bench.js";
import { count, counts, type ValuesOf } from "../options.js";
import { type BenchContext, defineScenario, type ScenarioResult } from "../scenario.js";

const TYPES = ["Q4_0", "Q4_1", "Q4_K", "Q5_K", "Q6_K", "Q8_0"] as const;

const options = {
  type: { kind: "choice", about: "type of the weights", choices: ["all", ...TYPES], initial: "all" },
  rows: counts("rows of activations at once", [1, 2, 4, 8, 16, 32, 128, 512]),
  contexts: counts("positions that each sequence sees, for decode attention of one layer", [128, 512, 2048, 4096]),
  sequences: count("sequences that attend at once", 8),
  rounds: count("measurements of each, of ours and of ggml's in turn", 5),
  computeThreads: count("threads that compute", availableParallelism()),
} as const;

type Values = ValuesOf<typeof options>;

/** A product of one matrix; milliseconds. */
export interface ProductPoint extends Compared {
  readonly type: string;
  readonly matrix: MatrixShape;
  readonly rows: number;
  /** Cores that other processes used meanwhile; null where it can't be told. */
  readonly otherCores: number | null;
}

/** Decode attention of one layer; milliseconds. */
export interface AttentionPoint extends Compared, AttentionLoad {
  readonly otherCores: number | null;
}

/** Our kernels beside ggml's, in one process and in turn; no cluster takes part. */
export const kernels = defineScenario({
  name: "kernels",
  description: "products and attention by Rhone's own kernels and by ggml, in turn in one process; no cluster",
  examples: [
    { flags: "", about: "every type of weights, with all cores" },
    { flags: "--type Q4_0 --rows 1,8,32 --compute-threads 2", about: "one type, fewer rows, two threads" },
  ],
  options,
  clusters: "none",
  run: async (context, values) => {
    const engine = openEngine(context.ggmlDir === undefined ? {} : { dir: context.ggmlDir });
    const { kernels: ours, notice } = chooseKernels(engine, context.kernels);
    if (ours === undefined) throw notice ?? new RhoneError("INVALID_CONFIG", "There is nothing to compare with ggml.");
    const threads = values.computeThreads;
    const backends = {
      engine,
      ours: Backend.open(engine, { threads, kernels: ours }),
      ggml: Backend.open(engine, { threads }),
    };
    try {
      const types = TYPES.filter((type) => values.type === "all" || values.type === type);
      const products = await measureProducts(context, backends, { ...values, types });
      const attention = await measureContexts(context, backends, values);
      const figures = { variant: ours.variant, products, attention };
      return { figures, report: reportOf(figures) };
    } finally {
      for (const backend of [backends.ours, backends.ggml]) backend.close();
    }
  },
});

async function measureProducts(
  { note, signal }: BenchContext,
  backends: Backends,
  { types, rows: rowCounts, rounds }: Values & { readonly types: readonly (typeof TYPES)[number][] },
): Promise<readonly ProductPoint[]> {
  const clock = new CpuClock([process.pid]);
  const points: ProductPoint[] = [];
  for (const [type, matrix] of types.flatMap((name) => MATRICES.map((shape) => [GgmlType[name], shape] as const))) {
    if (backends.ours.kernels?.supports({ type, ne: [matrix.k, matrix.rows] }) !== true) continue;
    const bench = await ProductBench.open(backends, type, matrix);
    try {
      for (const rows of rowCounts) {
        signal.throwIfAborted();
        const before = clock.read();
        const compared = await bench.measure(rows, rounds);
        const point = { type: typeInfo(type).name, matrix, rows, ...compared };
        points.push({ ...point, otherCores: otherCores(before, clock.read()) });
        note(cells(points.at(-1) as ProductPoint).join("  "));
      }
    } finally {
      bench.close();
    }
  }
  return points;
}

async function measureContexts(
  { note, signal }: BenchContext,
  backends: Backends,
  { contexts, sequences, rounds }: Values,
): Promise<readonly AttentionPoint[]> {
  const clock = new CpuClock([process.pid]);
  const points: AttentionPoint[] = [];
  for (const context of contexts) {
    signal.throwIfAborted();
    const before = clock.read();
    const compared = await measureAttention(backends, { sequences, context }, rounds);
    const point = { sequences, context, ...compared, otherCores: otherCores(before, clock.read()) };
    points.push(point);
    note(attentionCells(point).join("  "));
  }
  return points;
}

interface Figures {
  readonly variant: string;
  readonly products: readonly ProductPoint[];
  readonly attention: readonly AttentionPoint[];
}

function reportOf({ variant, products, attention }: Figures): ScenarioResult["report"] {
  return [
    `kernels ${variant}`,
    { heading: ["TYPE", "MATRIX", "ROWS", ...TIMES, "GMAC/s"], rows: products.map(cells) },
    { heading: ["ATTENTION", "CONTEXT", ...TIMES], rows: attention.map(attentionCells) },
  ];
}

const TIMES = ["OURS ms", "LEAST", "GGML ms", "LEAST", "RATIO", "OF LEAST", "OTHER CORES"];

function times({ ours, ggml, ratio, otherCores }: Compared & Pick<ProductPoint, "otherCores">): string[] {
  const ms = [ours.median, ours.least, ggml.median, ggml.least].map((each) => each.toFixed(3));
  return [...ms, ratio.median.toFixed(2), ratio.least.toFixed(2), otherCores?.toFixed(1) ?? "-"];
}

function cells(point: ProductPoint): string[] {
  const { type, matrix, rows, ours } = point;
  const rate = (matrix.k * matrix.rows * rows) / ours.least / 1e6;
  return [type, matrix.name, String(rows), ...times(point), rate.toFixed(0)];
}

const attentionCells = (point: AttentionPoint): string[] => [
  `${point.sequences} sequences`,
  String(point.context),
  ...times(point),
];
