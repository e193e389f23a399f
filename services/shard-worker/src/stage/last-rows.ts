import type { RowOrder } from "../attention/row-order.js";
import type { Span } from "../wire/step.js";

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
