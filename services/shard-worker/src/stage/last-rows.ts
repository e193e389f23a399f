import { RhoneError } from "@rhone/common";
import type { RowOrder } from "../attention/row-order.js";
import { scoreOf } from "../sampling/sequence-sampler.js";
import type { Span, SpanResult, TokenScore } from "../wire/step.js";

/** One row of logits that the last stage reads: for a draw, for a score, or both. */
export interface LogitRow<S extends Span = Span> {
  readonly span: S;
  readonly position: number;
  /** The token to score against this row. */
  readonly target: number | undefined;
  readonly draws: boolean;
  /** The draft that the next row holds; undefined when this is the span's last row. */
  readonly guess: number | undefined;
}

/** What the last stage reads of a step: the logits of some rows, and the hidden states of all pooled spans' rows. */
export interface LastRows<S extends Span = Span> {
  readonly logits: readonly LogitRow<S>[];
  readonly pooled: readonly S[];
  /** Rows of both together: the rows of `logits` first, then the pooled spans' rows, span by span. */
  readonly count: number;
}

/** The rows that draw, are scored or are pooled. `tokens`: i32 [rows], in the order of the spans. */
export function lastRows<S extends Span>(spans: readonly S[], tokens: Int32Array): LastRows<S> {
  const logits = logitRows(spans, tokens);
  const pooled = spans.filter(({ pool }) => pool);
  return { logits, pooled, count: pooled.reduce((sum, { count }) => sum + count, logits.length) };
}

/** The computed row of each of the rows, i32 [count]. */
export function computedRows<S extends Span>({ logits, pooled }: LastRows<S>, order: RowOrder<S>): Int32Array {
  const read = logits.map(({ span, position }) => order.startOf(span) + position - span.position);
  const summed = pooled.flatMap((span) => Array.from({ length: span.count }, (_, i) => order.startOf(span) + i));
  return Int32Array.from([...read, ...summed]);
}

/**
 * A span of rows 0 to 3 with 2 drafts draws from row 1 on: row 1 draws what row 2 should hold, row 2 what row 3 should
 * hold, row 3 a new token.
 */
function logitRows<S extends Span>(spans: readonly S[], tokens: Int32Array): readonly LogitRow<S>[] {
  let start = 0;
  return spans.flatMap((span) => {
    const { position, count, targets, sample, drafts } = span;
    const firstDraw = sample ? count - 1 - drafts : count;
    const rows: LogitRow<S>[] = [];
    for (let i = 0; i < count; i++) {
      const draws = i >= firstDraw;
      const target = targets[i];
      const guess = i === count - 1 ? undefined : tokens[start + i + 1];
      if (draws || target !== undefined) rows.push({ span, position: position + i, target, draws, guess });
    }
    start += count;
    return rows;
  });
}

/** Where the last stage's results come from. */
export interface ResultSource {
  /** Logits of `rows.logits[index]`, f32 [vocabSize]; overwritten by the next call. */
  logits(index: number): Float32Array;
  /** Hidden states after the final norm, f32 [count, dim], of rows [first, first + count) of those in `LastRows`. */
  states(first: number, count: number): Float32Array;
  /**
   * Draws the next token of a sequence from a row of logits, which it may overwrite. A RhoneError that it throws
   * concerns this sequence alone.
   */
  draw(sequence: number, logits: Float32Array, position: number): TokenScore;
}

/**
 * One result per span, in order. A span with drafts draws row by row and stops at the first draft that is not the token
 * that was drawn, because the rows after it were computed with a wrong token. One whose draw fails has the error in its
 * result; the others go on.
 */
export function spanResults(spans: readonly Span[], rows: LastRows, source: ResultSource): readonly SpanResult[] {
  const pooled = pooledSums(rows, source);
  const results = new Map(spans.map((span) => [span, new Drawing()]));
  for (const [index, { span, position, target, draws, guess }] of rows.logits.entries()) {
    const result = results.get(span);
    if (result === undefined || result.over) continue;
    const logits = source.logits(index);
    if (target !== undefined) result.scores.push(scoreOf(logits, target, span.topTargets));
    if (!draws) continue;
    result.draw(() => source.draw(span.sequence, logits, position), guess);
  }
  return [...results].map(([span, { scores, tokens, error }]) => ({
    sequence: span.sequence,
    tokens,
    scores,
    pooled: pooled.get(span) ?? null,
    error,
  }));
}

/** What one span has drawn so far. */
class Drawing {
  readonly scores: TokenScore[] = [];
  readonly tokens: TokenScore[] = [];
  error: RhoneError | null = null;
  /** A draft was refuted, or a draw failed: the span's other rows say nothing. */
  over = false;

  draw(draw: () => TokenScore, guess: number | undefined): void {
    try {
      const drawn = draw();
      this.tokens.push(drawn);
      this.over = guess !== undefined && guess !== drawn.token;
    } catch (error) {
      if (!(error instanceof RhoneError)) throw error;
      this.error = error;
      this.over = true;
    }
  }
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
