import { type Backend, GgmlType, type Graph } from "@rhone/ggml";
import { randomNumbers } from "../../../../packages/model/src/testing/random-model.js";
import { type AttentionSpan, type PlanAttention, StepInputs } from "../attention/attention.js";
import { Pages, PageTable } from "../kv-cache/pages.js";
import { attention, type Rows, worstDifference } from "./plain-math.js";

export const PAGE_SIZE = 8;
export const PAGES = 64;
export const HEAD_DIM = 32;
export const N_HEADS = 4;
const LAYER = 3;

export interface MachineOptions {
  readonly backend: Backend;
  readonly graph: Graph;
  readonly plan: PlanAttention;
  readonly nKvHeads: number;
  /** 0 without a window. */
  readonly slidingWindow: number;
  /** The type of K and V; F32 when absent. */
  readonly type?: GgmlType;
}

const randomRows = (count: number, width: number, seed: number): Rows => {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => Array.from({ length: width }, random));
};

/** A whole sequence: its queries, keys and values, and its pages. */
export interface Sequence {
  readonly q: Rows;
  readonly k: Rows;
  readonly v: Rows;
  readonly table: PageTable;
}

/**
 * One layer's K/V pages and an implementation of attention over them, played step by step. Close it before its graph.
 */
export class AttentionMachine {
  readonly #options: MachineOptions;
  readonly #pages: Pages;

  constructor(options: MachineOptions) {
    const { backend, nKvHeads, type = GgmlType.F32 } = options;
    const shape = { layers: [LAYER], pages: PAGES, pageSize: PAGE_SIZE, kvDim: nKvHeads * HEAD_DIM, type };
    this.#options = options;
    this.#pages = Pages.open(backend, shape);
    this.#pages.prepare(Array.from({ length: PAGES }, (_, page) => page));
  }

  sequence(length: number, seed: number, pages: readonly number[]): Sequence {
    const table = new PageTable(PAGE_SIZE);
    table.append(pages);
    const kvDim = this.#options.nKvHeads * HEAD_DIM;
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
    const { graph, backend, plan: planAttention } = this.#options;
    const width = N_HEADS * HEAD_DIM;
    graph.reset();
    const inputs = new StepInputs(graph);
    const config = { nHeads: N_HEADS, headDim: HEAD_DIM, slidingWindow: this.#options.slidingWindow };
    const plan = planAttention(graph, spans, { inputs, pages: this.#pages, config });
    const { rows } = plan.order;
    const input = (name: "q" | "k" | "v", ne: readonly [number, number, number?]) => {
      const frame = parts.flatMap(({ of, position, count }) => of[name].slice(position, position + count).flat());
      const bytes = new Uint8Array(Float32Array.from(frame).buffer);
      return inputs.add(GgmlType.F32, ne, plan.order.toComputed(bytes, bytes.length / rows));
    };
    const result = plan.attend(LAYER, {
      q: input("q", [HEAD_DIM, N_HEADS, rows]),
      k: input("k", [HEAD_DIM, this.#options.nKvHeads, rows]),
      v: input("v", [this.#options.nKvHeads * HEAD_DIM, rows]),
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
    const shape = { headDim: HEAD_DIM, slidingWindow: this.#options.slidingWindow };
    return Math.max(...sequences.map(({ q, ...kv }, i) => worstDifference(done[i] ?? [], attention(q, kv, shape))));
  }

  close(): void {
    this.#pages.close();
  }
}
