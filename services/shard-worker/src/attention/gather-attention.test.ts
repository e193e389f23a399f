import { Backend, GgmlType, Graph, openEngine } from "@rhone/ggml";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { randomNumbers } from "../../../../packages/model/src/testing/random-model.js";
import { PageTable } from "../kv-cache/page-table.js";
import { Pages } from "../kv-cache/pages.js";
import { attention, type Rows, worstDifference } from "../testing/plain-math.js";
import type { AttentionSpan } from "./attention.js";
import { GatherAttention } from "./gather-attention.js";
import { StepInputs } from "./step-inputs.js";

const PAGE_SIZE = 8;
const PAGES = 64;
const HEAD_DIM = 32;
const N_HEADS = 4;
const LAYER = 3;

const backend = Backend.open(openEngine({}), { threads: 1 });
const graph = Graph.open(backend);
afterAll(() => {
  graph.close();
  backend.close();
});

const randomRows = (count: number, width: number, seed: number): Rows => {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => Array.from({ length: width }, random));
};

/** A whole sequence: its queries, keys and values, and the pages that it is given in turn. */
interface Sequence {
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
  readonly table: PageTable;
}

class Machine {
  readonly #pages: Pages;
  readonly #nKvHeads: number;
  readonly #slidingWindow: number;

  constructor(nKvHeads: number, slidingWindow: number, type: GgmlType = GgmlType.F32) {
    const shape = { layers: [LAYER], pages: PAGES, pageSize: PAGE_SIZE, kvDim: nKvHeads * HEAD_DIM, type };
    this.#pages = Pages.open(backend, shape);
    this.#pages.prepare(Array.from({ length: PAGES }, (_, page) => page));
    this.#nKvHeads = nKvHeads;
    this.#slidingWindow = slidingWindow;
    onTestFinished(() => this.#pages.close());
  }

  sequence(length: number, seed: number, pages: readonly number[]): Sequence {
    const table = new PageTable(PAGE_SIZE);
    table.append(pages);
    const kvDim = this.#nKvHeads * HEAD_DIM;
    const [q, k, v] = [N_HEADS * HEAD_DIM, kvDim, kvDim].map((width, i) => randomRows(length, width, seed + i * 1000));
    return { q: q ?? [], k: k ?? [], v: v ?? [], table };
  }

  /** Describes and computes one step of rows [position, position + count) of each sequence; returns each one's rows. */
  async step(
    parts: readonly { readonly of: Sequence; readonly position: number; readonly count: number }[],
    { reads = true } = {},
  ): Promise<readonly Rows[]> {
    const spans: readonly AttentionSpan[] = parts.map(({ of, position, count }) => ({
      position,
      count,
      firstPage: 0,
      table: of.table,
    }));
    const width = N_HEADS * HEAD_DIM;
    graph.reset();
    const inputs = new StepInputs(graph);
    const config = { nHeads: N_HEADS, headDim: HEAD_DIM, slidingWindow: this.#slidingWindow || undefined };
    const plan = new GatherAttention(graph, spans, { inputs, pages: this.#pages, config });
    const { rows } = plan.order;
    const input = (name: "q" | "k" | "v", ne: readonly [number, number, number?]) => {
      const frame = parts.flatMap(({ of, position, count }) => of[name].slice(position, position + count).flat());
      const bytes = new Uint8Array(Float32Array.from(frame).buffer);
      return inputs.add(GgmlType.F32, ne, plan.order.toComputed(bytes, bytes.length / rows));
    };
    const result = plan.attend(LAYER, {
      q: input("q", [HEAD_DIM, N_HEADS, rows]),
      k: input("k", [HEAD_DIM, this.#nKvHeads, rows]),
      v: input("v", [this.#nKvHeads * HEAD_DIM, rows]),
    });
    if (reads) graph.output(result);
    graph.allocate();
    inputs.fill();
    await backend.compute(graph);
    if (!reads) return [];
    const bytes = plan.order.toFrame(graph.read(result, new Uint8Array(rows * width * 4)), width * 4);
    const numbers = new Float32Array(bytes.slice().buffer);
    const rowAt = (row: number) => [...numbers.subarray(row * width, (row + 1) * width)];
    let start = 0;
    return parts.map(({ count }) => {
      start += count;
      return Array.from({ length: count }, (_, i) => rowAt(start - count + i));
    });
  }

  /** Plays the sequences in chunks, side by side as long as they last, and returns the greatest error of any row. */
  async worstOf(sequences: readonly Sequence[], chunks: readonly (readonly number[])[]): Promise<number> {
    const done = sequences.map((): Rows => []);
    for (const counts of chunks) {
      const parts = sequences.map((of, i) => ({ of, i, position: done[i]?.length ?? 0, count: counts[i] ?? 0 }));
      const stepped = parts.filter(({ count }) => count > 0);
      const rows = await this.step(stepped);
      for (const [at, { i }] of stepped.entries()) done[i] = [...(done[i] ?? []), ...(rows[at] ?? [])];
    }
    const shape = { headDim: HEAD_DIM, slidingWindow: this.#slidingWindow };
    return Math.max(...sequences.map(({ q, ...kv }, i) => worstDifference(done[i] ?? [], attention(q, kv, shape))));
  }
}

/** Pages in an order of their own, so that no sequence's pages follow each other. */
const scattered = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => (first + i * 11) % PAGES);
const ones = (count: number, of = 1): readonly (readonly number[])[] =>
  Array.from({ length: count }, () => Array.from({ length: of }, () => 1));

describe.each([
  { nKvHeads: 4, name: "a K/V head per query head" },
  { nKvHeads: 2, name: "two query heads per K/V head" },
  { nKvHeads: 1, name: "one K/V head" },
])("$name", ({ nKvHeads }) => {
  // A window that sees one position, less than a page, exactly a page, a page and a position, and more than there is.
  test.each([0, 1, 5, 8, 9, 100])("window %d: chunks and single rows of one sequence", async (window) => {
    const machine = new Machine(nKvHeads, window);
    const sequence = machine.sequence(30, 1, scattered(0, 4));
    expect(await machine.worstOf([sequence], [[13], [3], ...ones(9), [5]])).toBeLessThan(1e-5);
  });
});

test.each([0, 9])("sequences of different lengths attend side by side, window %d", async (window) => {
  const machine = new Machine(2, window);
  const lengths = [40, 12, 33, 9];
  const sequences = lengths.map((length, i) => machine.sequence(length, i + 1, scattered(i, 5)));
  const steps = [[32, 4, 25, 1], ...ones(8, 4)];
  expect(await machine.worstOf(sequences, steps)).toBeLessThan(1e-5);
});

test.each([63, 64, 65])("a chunk of %d rows, on both sides of ggml's tiled path", async (count) => {
  const machine = new Machine(2, 0);
  expect(await machine.worstOf([machine.sequence(count + 2, 1, scattered(0, 9))], [[count], [2]])).toBeLessThan(1e-5);
});

test("consecutive pages are read in place and give the same rows", async () => {
  const machine = new Machine(2, 10);
  const inPlace = machine.sequence(30, 1, [4, 5, 6, 7]);
  const gathered = { ...inPlace, table: machine.sequence(30, 1, [40, 20, 30, 10]).table };
  const rows = [];
  for (const of of [inPlace, gathered]) {
    await machine.step([{ of, position: 0, count: 29 }]);
    rows.push(await machine.step([{ of, position: 29, count: 1 }]));
  }
  expect(rows[0]).toEqual(rows[1]);
});

test.each([
  ["f16", GgmlType.F16, 2e-3],
  ["q8_0", GgmlType.Q8_0, 2e-2],
] as const)("%s pages keep what their rounding allows", async (_, type, tolerance) => {
  const machine = new Machine(2, 20, type);
  const sequences = [machine.sequence(30, 1, scattered(0, 4)), machine.sequence(26, 2, scattered(5, 4))];
  expect(await machine.worstOf(sequences, [[20, 20], ...ones(6, 2), [4, 0]])).toBeLessThan(tolerance);
});

test("K and V are written even when nothing reads the step's result", async () => {
  const machine = new Machine(2, 0);
  const of = machine.sequence(12, 1, scattered(0, 2));
  await machine.step([{ of, position: 0, count: 11 }], { reads: false });
  const [row = []] = (await machine.step([{ of, position: 11, count: 1 }])).map((rows) => rows[0] ?? []);
  const expected = attention(of.q, of, { headDim: HEAD_DIM, slidingWindow: 0 });
  expect(worstDifference([row], expected.slice(11))).toBeLessThan(1e-5);
});

describe("a span is refused", () => {
  const describeSpan = (span: AttentionSpan) => {
    const shape = { layers: [LAYER], pages: 4, pageSize: PAGE_SIZE, kvDim: HEAD_DIM, type: GgmlType.F32 };
    const pages = Pages.open(backend, shape);
    onTestFinished(() => pages.close());
    graph.reset();
    const config = { nHeads: 1, headDim: HEAD_DIM, slidingWindow: 8 };
    return () => new GatherAttention(graph, [span], { inputs: new StepInputs(graph), pages, config });
  };

  test("when it sees a page that was freed", () => {
    const table = new PageTable(PAGE_SIZE);
    table.append([0, 1, 2]);
    // Position 20 with window 8 sees positions from 13 on, in page 1.
    expect(describeSpan({ position: 20, count: 1, firstPage: 2, table })).toThrow(
      "Position 20 sees page 1 of its sequence, but the pages before 2 were freed.",
    );
    expect(describeSpan({ position: 23, count: 1, firstPage: 2, table })).not.toThrow();
  });

  test("when its sequence has no page for its rows", () => {
    const table = new PageTable(PAGE_SIZE);
    table.append([0]);
    expect(describeSpan({ position: 7, count: 2, firstPage: 0, table })).toThrow(
      "A step reaches page 1 of a sequence that has 1 pages.",
    );
  });
});
