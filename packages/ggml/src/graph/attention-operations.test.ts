import type { KernelChoice } from "@rhone/common";
import { describe, expect, it, onTestFinished } from "vitest";
import { GgmlType } from "../elements/ggml-type.js";
import { quantizeChunk } from "../elements/quantize.js";
import { openEngine } from "../native/engine.js";
import { backendWith, kernelVariants } from "../testing/kernel-variants.js";
import { series, worstDifference } from "../testing/series.js";
import { SPAN_COLUMNS } from "./attention-operations.js";
import { Graph } from "./graph.js";

const engine = openEngine();

const HEAD_DIM = 64;
const N_HEADS = 6;
const N_KV_HEADS = 2;
const PAGES = 160;
const PAGE_SIZE = 16;
const KV_DIM = N_KV_HEADS * HEAD_DIM;
const WIDTH = N_HEADS * HEAD_DIM;

interface TestSpan {
  readonly position: number;
  readonly rows: number;
}

interface Step {
  readonly spans: readonly TestSpan[];
  readonly type?: GgmlType;
  readonly slidingWindow?: number;
  readonly threads?: number;
  /** Row of `queries` that is the first of the step. */
  readonly firstQuery?: number;
  /** Elements with other values than the series have. */
  readonly spoiled?: { readonly of: "q" | "k" | "v"; readonly at: number; readonly value: number };
}

const queries = series(WIDTH * 200, 1);
const keys = series(KV_DIM * PAGES * PAGE_SIZE, 2);
const values = series(KV_DIM * PAGES * PAGE_SIZE, 3);

/** Every sequence's page `i` is page 7 i + 3 of all, so that neighbours are far apart. */
const pageAt = (i: number): number => (7 * i + 3) % PAGES;

/** The spans and tables as the kernels read them; tables begin with the first page that a span sees. */
function described({ spans, slidingWindow = 0 }: Step) {
  const tables: number[] = [];
  let row = 0;
  const columns = spans.flatMap(({ position, rows }) => {
    const firstPage = slidingWindow === 0 ? 0 : Math.floor(Math.max(0, position + 1 - slidingWindow) / PAGE_SIZE);
    const pages = Math.floor((position + rows - 1) / PAGE_SIZE) + 1 - firstPage;
    const span = [row, rows, position, tables.length, firstPage];
    tables.push(...Array.from({ length: pages }, (_, i) => pageAt(firstPage + i)));
    row += rows;
    return span;
  });
  return { spans: Int32Array.from(columns), tables: Int32Array.from(tables), rows: row };
}

async function attend(choice: KernelChoice, step: Step): Promise<Float32Array> {
  const { type = GgmlType.F32, slidingWindow = 0, threads = 1, firstQuery = 0, spoiled } = step;
  const spoil = (of: "q" | "k" | "v", numbers: Float32Array): Float32Array =>
    spoiled?.of === of ? numbers.slice().fill(spoiled.value, spoiled.at, spoiled.at + 1) : numbers;
  const backend = backendWith(choice, threads);
  onTestFinished(() => backend.close());
  const graph = Graph.open(backend, { maxTensors: 32 });
  onTestFinished(() => graph.close());
  const { spans, tables, rows } = described(step);
  const inputs = {
    q: graph.input(GgmlType.F32, [WIDTH, rows]),
    kPages: graph.input(type, [KV_DIM, PAGES * PAGE_SIZE]),
    vPages: graph.input(type, [KV_DIM, PAGES * PAGE_SIZE]),
    spans: graph.input(GgmlType.I32, [SPAN_COLUMNS, step.spans.length]),
    tables: graph.input(GgmlType.I32, [tables.length]),
  };
  const shape = { type, pageSize: PAGE_SIZE, headDim: HEAD_DIM, nHeads: N_HEADS, nKvHeads: N_KV_HEADS, slidingWindow };
  expect(graph.kernels?.attention.supports(shape)).toBe(true);
  const result = graph.kernels?.attention.attend(shape, inputs);
  if (result === undefined) throw new Error("no kernels");
  graph.output(result);
  graph.allocate();
  graph.setInput(inputs.q, spoil("q", queries.subarray(firstQuery * WIDTH, (firstQuery + rows) * WIDTH)));
  graph.setInput(inputs.kPages, stored(spoil("k", keys), type));
  graph.setInput(inputs.vPages, stored(spoil("v", values), type));
  graph.setInput(inputs.spans, spans);
  graph.setInput(inputs.tables, tables);
  await backend.compute(graph);
  await backend.compute(graph);
  return graph.read(result, new Float32Array(rows * WIDTH));
}

const stored = (of: Float32Array, type: GgmlType): ArrayBufferView =>
  type === GgmlType.F32 ? of : quantizeChunk(engine, { type, source: of, nPerRow: KV_DIM });

/** Softmax of q·k over the positions that each row sees, times V, in f64. */
function expected({ spans, slidingWindow = 0 }: Step): Float32Array {
  const rows = spans.flatMap(({ position, rows: count }) => Array.from({ length: count }, (_, i) => position + i));
  const at = (position: number) =>
    (pageAt(Math.floor(position / PAGE_SIZE)) * PAGE_SIZE + (position % PAGE_SIZE)) * KV_DIM;
  return Float32Array.from(
    rows.flatMap((last, row) =>
      Array.from({ length: N_HEADS }, (_, head) => {
        const first = slidingWindow === 0 ? 0 : Math.max(0, last + 1 - slidingWindow);
        const from = Math.floor(head / (N_HEADS / N_KV_HEADS)) * HEAD_DIM;
        const weights = Array.from({ length: last - first + 1 }, (_, i) => {
          let sum = 0;
          for (let d = 0; d < HEAD_DIM; d++)
            sum += (queries[row * WIDTH + head * HEAD_DIM + d] ?? 0) * (keys[at(first + i) + from + d] ?? 0);
          return Math.exp(sum / Math.sqrt(HEAD_DIM));
        });
        const total = weights.reduce((a, b) => a + b);
        return Array.from({ length: HEAD_DIM }, (_, d) =>
          weights.reduce((sum, weight, i) => sum + (weight / total) * (values[at(first + i) + from + d] ?? 0), 0),
        );
      }).flat(),
    ),
  );
}

const MIXTURE = [
  { position: 0, rows: 1 },
  { position: 1023, rows: 1 },
  { position: 30, rows: 40 },
  { position: 2300, rows: 1 },
  { position: 31, rows: 1 },
];

describe.each(kernelVariants)("attention over pages with %s", (choice) => {
  it.each([0, 1, 33, 1100])("is softmax over the positions that a row sees, window %d", async (slidingWindow) => {
    const step = { spans: MIXTURE, slidingWindow };
    expect(worstDifference(await attend(choice, step), expected(step))).toBeLessThan(1e-6);
  });

  it.each([
    [GgmlType.F16, 5e-4],
    [GgmlType.Q8_0, 5e-3],
  ])("reads pages of type %d", async (type, tolerance) => {
    const step = { spans: MIXTURE, type };
    expect(worstDifference(await attend(choice, step), expected(step))).toBeLessThan(tolerance);
  });

  it.each([GgmlType.F32, GgmlType.F16, GgmlType.Q8_0])(
    "gives a row of type %d the same bits alone, in a prompt and with any number of threads",
    async (type) => {
      const prompt = await attend(choice, { spans: [{ position: 1010, rows: 30 }], type });
      for (const [row, threads] of [
        [0, 1],
        [14, 2],
        [29, 5],
      ] as const) {
        const step = { spans: [{ position: 1010 + row, rows: 1 }], type, threads, firstQuery: row };
        expect(await attend(choice, step)).toEqual(prompt.subarray(row * WIDTH, (row + 1) * WIDTH));
      }
      const mixture = await attend(choice, { spans: MIXTURE, type });
      expect(await attend(choice, { spans: MIXTURE, type, threads: 3 })).toEqual(mixture);
    },
  );

  describe("with a number that is not finite", () => {
    /** With a window of 21 they see positions 0 to 20, 20 to 40 and 40 to 60: the second row alone sees position 30. */
    const spans = [20, 40, 60].map((position) => ({ position, rows: 1 }));
    const step = { spans, slidingWindow: 21 };
    const at30 = (pageAt(1) * PAGE_SIZE + 14) * KV_DIM + 5; // K/V head 0, which query heads 0 to 2 read
    const head = (index: number) => Array.from({ length: HEAD_DIM }, (_, d) => index * HEAD_DIM + d);

    it.each([
      ["q", Number.NaN, WIDTH + HEAD_DIM + 5, head(7)],
      ["k", Number.NaN, at30, [6, 7, 8].flatMap(head)],
      ["v", Number.NaN, at30, [6, 7, 8].map((index) => index * HEAD_DIM + 5)],
      ["v", Number.POSITIVE_INFINITY, at30, [6, 7, 8].map((index) => index * HEAD_DIM + 5)],
    ] as const)("in %s, %d: the rows and heads that see it are not finite, the others as they are", async (...each) => {
      const [of, value, at, touched] = each;
      for (const type of [GgmlType.F32, GgmlType.F16]) {
        const clean = await attend(choice, { ...step, type });
        const result = await attend(choice, { ...step, type, spoiled: { of, value, at } });
        expect(touched.filter((index) => Number.isFinite(result[index]))).toEqual([]);
        for (const index of touched) result[index] = clean[index] ?? 0;
        expect(result).toEqual(clean);
      }
    });
  });

  it("does not attend with heads that are no multiple of 16, nor of 32 in Q8_0", async () => {
    const backend = backendWith(choice);
    onTestFinished(() => backend.close());
    const graph = Graph.open(backend, { maxTensors: 4 });
    onTestFinished(() => graph.close());
    const attends = (headDim: number, type: GgmlType) =>
      graph.kernels?.attention.supports({ type, pageSize: 32, headDim, nHeads: 4, nKvHeads: 2, slidingWindow: 0 });
    expect([attends(80, GgmlType.F16), attends(72, GgmlType.F16), attends(272, GgmlType.F16)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([attends(64, GgmlType.Q8_0), attends(80, GgmlType.Q8_0), attends(64, GgmlType.Q4_0)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("variants", () => {
  it.skipIf(kernelVariants.length < 2)("attend with the same bits", async () => {
    const results: Float32Array[] = [];
    for (const choice of kernelVariants) results.push(await attend(choice, { spans: MIXTURE }));
    for (const result of results) expect(result).toEqual(results[0]);
  });
});
