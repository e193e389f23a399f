import type { MicroBatch, PlannedSpan } from "./micro-batch.js";
import type { KvPages, PageCopy } from "./pages/kv-pages.js";
import { firstVisible, type KvShape } from "./pages/window.js";
import type { Sequence } from "./sequence.js";

/** A micro-batch while it is put together. */
export class MicroBatchDraft {
  readonly #shape: KvShape;
  readonly #pages: KvPages;
  readonly #copies: PageCopy[] = [];
  readonly #opens: Sequence[] = [];
  readonly #spans: PlannedSpan[] = [];
  readonly #members = new Set<Sequence>();
  /** Released only when the micro-batch is whole: within it they must not be reused. */
  readonly #freed: number[] = [];
  #rows = 0;
  #decodeRows = 0;

  constructor(shape: KvShape, pages: KvPages) {
    this.#shape = shape;
    this.#pages = pages;
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

  /**
   * Adds the sequence's next `count` positions and, after them, guesses at the next tokens. Its table has pages for all of
   * them; `newPages` are those that the stages do not know of yet.
   */
  add(sequence: Sequence, count: number, newPages: readonly number[], drafts: readonly number[] = []): void {
    const position = sequence.scheduled;
    const end = position + count;
    const pages = sequence.opened ? newPages : [...sequence.table.entries];
    this.#open(sequence);
    this.#spans.push({
      sequence,
      wireId: sequence.wireId,
      position,
      count: count + drafts.length,
      pages,
      firstPage: sequence.table.indexOf(firstVisible(position, this.#shape.slidingWindow)),
      sample: end === sequence.known && sequence.job.maxTokens > 0,
      drafts,
      scored: scoredRows(sequence, position, end),
    });
    this.#members.add(sequence);
    this.#rows += count + drafts.length;
    if (sequence.phase === "decoding") this.#decodeRows += count + drafts.length;
    sequence.scheduled = end;
    sequence.inFlight++;
    this.#pages.register(sequence);
    // A wrong draft is computed anew, so that only the certain rows move the window.
    this.#freed.push(...sequence.table.dropBelow(firstVisible(end, this.#shape.slidingWindow)));
  }

  /**
   * The micro-batch, and the pages back that no row after it sees. They may be handed out for later micro-batches at once,
   * though this one has not even been sent: every stage takes frames in order and finishes one before it begins the next.
   */
  finish(closes: readonly number[], group: number | null): MicroBatch {
    this.#pages.release(this.#freed);
    return {
      copies: this.#copies,
      opens: this.#opens,
      spans: this.#spans,
      closes,
      rows: this.#rows,
      decodeRows: this.#decodeRows,
      group: this.#decodeRows > 0 ? group : null,
    };
  }

  #open(sequence: Sequence): void {
    if (sequence.opened) return;
    sequence.opened = true;
    this.#opens.push(sequence);
    if (sequence.copy === null) return;
    this.#copies.push(sequence.copy);
    this.#freed.push(sequence.copy.from);
    sequence.copy = null;
  }
}

/** Rows [position, end) that have a prompt token after them: with a prompt of 5, rows 2, 3, 4 have two (3 and 4). */
function scoredRows(sequence: Sequence, position: number, end: number): number {
  if (sequence.job.promptLogprobs === null || sequence.generated > 0) return 0;
  return Math.max(0, Math.min(end, sequence.promptLength - 1) - position);
}
