import type { PageCopy } from "./pages/kv-pages.js";
import type { Sequence } from "./sequence.js";

/** `count` consecutive positions of one sequence that cross the stages together. */
export interface PlannedSpan {
  readonly sequence: Sequence;
  readonly wireId: number;
  readonly position: number;
  readonly count: number;
  /** Page ids to append to the sequence's page table before the span. */
  readonly pages: readonly number[];
  /** Entry of the first page that the span's rows see. */
  readonly firstPage: number;
  /** Draw the token after the last row, and with drafts those after the rows before them. */
  readonly sample: boolean;
  /** Guesses at the tokens of the span's last rows; the stage verifies them. */
  readonly drafts: readonly number[];
  /** The first so many rows are scored against the prompt token that follows each. */
  readonly scored: number;
}

/** What crosses the stages as one step. */
export interface MicroBatch {
  readonly copies: readonly PageCopy[];
  readonly opens: readonly Sequence[];
  readonly spans: readonly PlannedSpan[];
  /** Wire ids that the stages forget after this step. */
  readonly closes: readonly number[];
  readonly rows: number;
  /** Rows of decoding sequences, their drafts included. */
  readonly decodeRows: number;
  /** The group whose decoding sequences ride in it, or null. */
  readonly group: number | null;
}
