import type { RowReading, RowRequest } from "@rhone/ggml";
import type { Span, SpanResult } from "../wire/step.js";
import type { LastRows } from "./last-rows.js";
import { type DrawingSampler, SpanDrawing } from "./span-drawing.js";

/** Where the last stage's results come from. */
export interface ResultSource {
  /** Reads rows of `rows.logits`, each asked for once. */
  read(requests: readonly RowRequest[]): Promise<readonly RowReading[]>;
  /** Hidden states after the final norm, f32 [count, dim], of rows [first, first + count) of those in `LastRows`. */
  states(first: number, count: number): Float32Array;
  /** A sequence's sampler. A RhoneError that it throws concerns this sequence alone. */
  sampler(sequence: number): DrawingSampler;
}

/** One result per span, in order. Rows of all spans are read together, those behind a draw after it. */
export async function spanResults(
  spans: readonly Span[],
  rows: LastRows,
  source: ResultSource,
): Promise<readonly SpanResult[]> {
  const pooled = pooledSums(rows, source);
  const drawings = new Map(
    spans.map((span) => [span, new SpanDrawing(span, () => source.sampler(span.sequence))] as const),
  );
  for (const [index, row] of rows.logits.entries()) drawings.get(row.span)?.add(index, row);
  const ask = () => [...drawings.values()].flatMap((drawing) => drawing.ask());
  for (let asked = ask(); asked.length > 0; asked = ask()) {
    const readings = await source.read(asked.map(({ request }) => request));
    for (const [i, reading] of readings.entries()) asked[i]?.take(reading);
  }
  return [...drawings].map(([span, drawing]) => drawing.result(pooled.get(span) ?? null));
}

function pooledSums({ logits, pooled }: LastRows, source: ResultSource): ReadonlyMap<Span, Float32Array> {
  const sums = new Map<Span, Float32Array>();
  let first = logits.length;
  for (const span of pooled) {
    const states = source.states(first, span.count);
    sums.set(span, sumRows(states, states.length / span.count));
    first += span.count;
  }
  return sums;
}

/** rows: f32 [n, dim] -> f32 [dim], their sum, accumulated in f64. */
export function sumRows(rows: Float32Array, dim: number): Float32Array {
  const sum = new Float64Array(dim);
  for (let start = 0; start < rows.length; start += dim) {
    for (let i = 0; i < dim; i++) sum[i] = (sum[i] as number) + (rows[start + i] as number);
  }
  return Float32Array.from(sum);
}
