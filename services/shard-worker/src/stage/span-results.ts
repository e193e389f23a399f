import { scoreOf } from "../sampling/sequence-sampler.js";
import type { Span, SpanResult, TokenScore } from "../wire/step.js";
import type { LastRows } from "./last-rows.js";

/** Where the last stage's results come from. */
export interface ResultSource {
  /** Logits of `rows.logits[index]`, f32 [vocabSize]; overwritten by the next call. */
  logits(index: number): Float32Array;
  /** `count` hidden states after the final norm, f32 [count, dim], from the one at `first` of all the rows that were read. */
  states(first: number, count: number): Float32Array;
  /** Draws the next token of a sequence from a row of logits, which it may overwrite. */
  draw(sequence: number, logits: Float32Array, position: number): TokenScore;
}

/**
 * One result per span, in order. A span draws from its drafting rows in turn and stops at the first draft that is not the
 * token that was drawn: the rows after it computed with a wrong token.
 */
export function spanResults(spans: readonly Span[], rows: LastRows, source: ResultSource): readonly SpanResult[] {
  const pooled = pooledSums(rows, source);
  const results = new Map(
    spans.map((span) => [span, { scores: [] as TokenScore[], tokens: [] as TokenScore[], refuted: false }]),
  );
  for (const [index, { span, position, target, draws, guess }] of rows.logits.entries()) {
    const result = results.get(span);
    if (result === undefined || result.refuted) continue;
    const logits = source.logits(index);
    if (target !== undefined) result.scores.push(scoreOf(logits, target, span.topTargets));
    if (!draws) continue;
    const drawn = source.draw(span.sequence, logits, position);
    result.tokens.push(drawn);
    result.refuted = guess !== undefined && guess !== drawn.token;
  }
  return [...results].map(([span, { scores, tokens }]) => ({
    sequence: span.sequence,
    tokens,
    scores,
    pooled: pooled.get(span) ?? null,
  }));
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
