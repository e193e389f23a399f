import type { RowOrder } from "../attention/row-order.js";
import type { StepSpan } from "./step-plan.js";

/** One row of logits that the last stage reads: for a draw, for a score, or both. */
export interface LogitRow {
  readonly span: StepSpan;
  readonly position: number;
  readonly target: number | undefined;
  readonly draws: boolean;
  /** The token that the next row holds as a guess; undefined when the row draws the span's last token. */
  readonly guess: number | undefined;
}

/** What the last stage reads of a step: the logits of some rows, and the hidden states of every row of the spans to pool. */
export interface LastRows {
  readonly logits: readonly LogitRow[];
  readonly pooled: readonly StepSpan[];
  /** Rows of both; those of `logits` come first, then span by span. */
  readonly count: number;
}

/** The rows that draw, are scored or are pooled. `tokens`: i32 [rows], what the step's rows hold. */
export function lastRows(spans: readonly StepSpan[], tokens: Int32Array): LastRows {
  const logits = logitRows(spans, tokens);
  const pooled = spans.filter(({ message }) => message.pool === true);
  return { logits, pooled, count: pooled.reduce((sum, { count }) => sum + count, logits.length) };
}

/** Where among the computed rows each of them comes from. */
export function indicesOf({ logits, pooled }: LastRows, order: RowOrder<StepSpan>): Int32Array {
  const drawn = logits.map(({ span, position }) => order.startOf(span) + position - span.position);
  const summed = pooled.flatMap((span) => Array.from({ length: span.count }, (_, i) => order.startOf(span) + i));
  return Int32Array.from([...drawn, ...summed]);
}

function logitRows(spans: readonly StepSpan[], tokens: Int32Array): readonly LogitRow[] {
  let start = 0;
  return spans.flatMap((span) => {
    const { targets, sample = false, drafts } = span.message;
    const firstDraw = sample ? span.count - 1 - (drafts ?? 0) : span.count;
    const rows: LogitRow[] = [];
    for (let i = 0; i < span.count; i++) {
      const draws = i >= firstDraw;
      const target = targets?.[i];
      const guess = i === span.count - 1 ? undefined : tokens[start + i + 1];
      if (draws || target !== undefined) rows.push({ span, position: span.position + i, target, draws, guess });
    }
    start += span.count;
    return rows;
  });
}
