import type { MicroBatch, PlannedSpan } from "./micro-batch.js";
import type { Sequence } from "./sequence.js";
import { firstVisible, type KvShape } from "./sliding-window.js";

/** A micro-batch while it is put together. */
export class MicroBatchDraft {
  readonly #shape: KvShape;
  readonly #opens: Sequence[] = [];
  readonly #spans: PlannedSpan[] = [];
  readonly #members = new Set<Sequence>();
  readonly #freed: number[] = [];
  #rows = 0;
  #decodeRows = 0;

  constructor(shape: KvShape) {
    this.#shape = shape;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Rows that still fit. */
  get room(): number {
    return this.#shape.maxRows - this.#rows;
  }

  has(sequence: Sequence): boolean {
    return this.#members.has(sequence);
  }

  /** Adds the sequence's next `count` positions; `pages` are those its table was just given for them. */
  add(sequence: Sequence, count: number, pages: readonly number[]): void {
    const position = sequence.scheduled;
    const end = position + count;
    const { slidingWindow } = this.#shape;
    if (!sequence.opened) {
      sequence.opened = true;
      this.#opens.push(sequence);
    }
    this.#spans.push({
      sequence,
      wireId: sequence.wireId,
      position,
      count,
      pages,
      firstPage: sequence.table.indexOf(firstVisible(position, slidingWindow)),
      sample: end === sequence.known && sequence.job.maxTokens > 0,
      scored: scoredRows(sequence, position, end),
    });
    this.#members.add(sequence);
    this.#rows += count;
    if (sequence.phase === "decoding") this.#decodeRows += count;
    sequence.scheduled = end;
    sequence.inFlight++;
    this.#freed.push(...sequence.table.dropBelow(firstVisible(end, slidingWindow)));
  }

  /**
   * Pages that no row after this micro-batch sees. They may be handed out for later micro-batches at once, though this one
   * has not even been sent: every stage takes frames in order and finishes one before it begins the next, so it has read
   * these pages before anything overwrites them. Within this micro-batch they must not be reused.
   */
  get freed(): readonly number[] {
    return this.#freed;
  }

  finish(closes: readonly number[], group: number | null): MicroBatch {
    const { opens, spans, rows, decodeRows } = {
      opens: this.#opens,
      spans: this.#spans,
      rows: this.#rows,
      decodeRows: this.#decodeRows,
    };
    return { opens, spans, closes, rows, decodeRows, group };
  }
}

/** Rows [position, end) that have a prompt token after them: with a prompt of 5, rows 2, 3, 4 have two (3 and 4). */
function scoredRows(sequence: Sequence, position: number, end: number): number {
  if (sequence.job.promptLogprobs === null || sequence.generated > 0) return 0;
  return Math.max(0, Math.min(end, sequence.promptLength - 1) - position);
}
