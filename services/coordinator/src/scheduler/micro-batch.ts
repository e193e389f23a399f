import type { KvShape } from "@rhone/planner";
import { TUNING } from "./budget/tuning.js";
import { openBytes } from "./open-bytes.js";
import type { KvPages, PageCopy } from "./pages/kv-pages.js";
import type { Sequence } from "./sequence.js";
import type { WireIds } from "./wire-ids.js";

/** `count` consecutive positions of one sequence that cross the stages together. */
export interface PlannedSpan {
  readonly sequence: Sequence;
  readonly wireId: number;
  readonly position: number;
  /** Rows, drafts included. */
  readonly count: number;
  /** Page ids to append to the sequence's page table before the span. */
  readonly pages: readonly number[];
  /** The page table's entry of the first page that the span's rows see. */
  readonly firstPage: number;
  /** Draw the token after the last row that is no draft, and after each draft that was right. */
  readonly sample: boolean;
  /** Guessed tokens of the span's last rows; the last stage verifies them. */
  readonly drafts: readonly number[];
  /** Number of leading rows to score, each against the prompt token after it. */
  readonly scored: number;
  /** The token of its one row is what the sequence's span before it draws: it is sent ahead of that span's result. */
  readonly carried: boolean;
}

/** A sequence that the stages do not know yet. */
export interface OpenedSequence {
  readonly sequence: Sequence;
  readonly wireId: number;
}

/** The content of one step: it crosses the stages as one frame. */
export interface MicroBatch {
  readonly copies: readonly PageCopy[];
  readonly opens: readonly OpenedSequence[];
  readonly spans: readonly PlannedSpan[];
  /** Wire ids that the stages forget after this step. */
  readonly closes: readonly number[];
  readonly rows: number;
  /** Rows of decoding sequences, drafts included. */
  readonly decodeRows: number;
  /** The group whose decode rows it carries, or null. */
  readonly group: number | null;
}

/** The outcome of one span of a micro-batch. */
export interface SpanOutcome {
  readonly span: PlannedSpan;
  /** The tokens that its sequence continues with. */
  readonly tokens: readonly number[];
  /** The sequence has ended and is forgotten, with whatever tokens. */
  readonly ended: boolean;
}

/** A sequence with at most this many bytes to open is opened beside large ones. */
const SMALL_OPEN_BYTES = 16 * 2 ** 10;

/** Puts one micro-batch together. */
export class MicroBatchBuilder {
  readonly #shape: KvShape;
  readonly #pages: KvPages;
  readonly #wireIds: WireIds;
  readonly #copies: PageCopy[] = [];
  readonly #opens: OpenedSequence[] = [];
  readonly #spans: PlannedSpan[] = [];
  readonly #members = new Set<Sequence>();
  /** Given back only with `finish`: no page may be used twice within one micro-batch. */
  readonly #unseen: number[] = [];
  /** Bytes of the opened sequences' biases, grammars and counted tokens. */
  #openedBytes = 0;
  #rows = 0;
  #decodeRows = 0;

  constructor(shape: KvShape, { pages, wireIds }: { readonly pages: KvPages; readonly wireIds: WireIds }) {
    this.#shape = shape;
    this.#pages = pages;
    this.#wireIds = wireIds;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Nothing that the stages must hear of is in it. */
  get isEmpty(): boolean {
    return this.#rows === 0 && this.#opens.length === 0;
  }

  /** Rows that still fit. */
  get room(): number {
    return this.#shape.maxRows - this.#rows;
  }

  /** Prompt rows of the sequence that still fit. */
  roomFor({ job }: Sequence): number {
    if (job.promptLogprobs === null) return this.room;
    return Math.min(this.room, TUNING.mostScored - this.#spans.reduce((sum, { scored }) => sum + scored, 0));
  }

  has(sequence: Sequence): boolean {
    return this.#members.has(sequence);
  }

  /** Whether a sequence is open, or may be opened here: the first one always, and small ones beside any. */
  mayOpen(sequence: Sequence): boolean {
    if (this.#openedBytes === 0 || this.#wireIds.isOpen(sequence)) return true;
    const bytes = openBytes(sequence);
    return bytes <= SMALL_OPEN_BYTES || this.#openedBytes + bytes <= TUNING.mostOpenedBytes;
  }

  /** Opens a sequence, with rows in this micro-batch or without. */
  open(sequence: Sequence): void {
    const wireId = this.#wireIds.open(sequence);
    this.#opens.push({ sequence, wireId });
    this.#openedBytes += openBytes(sequence);
    this.#members.add(sequence);
    const copy = this.#pages.takeCopy(sequence);
    if (copy === null) return;
    this.#copies.push(copy);
    this.#unseen.push(copy.from);
  }

  /** Adds `count` prompt positions. `newPages` were just appended to its page table, which covers them. */
  addChunk(sequence: Sequence, count: number, newPages: readonly number[]): void {
    this.#add(sequence, { count, newPages, drafts: [] });
  }

  /**
   * Adds the next position of a decoding sequence, and as many of its drafts as have room here and in available pages.
   */
  addDecodeRow(sequence: Sequence, newPages: readonly number[], drafts: readonly number[]): void {
    const end = sequence.sentEnd + 1;
    const count = Math.min(drafts.length, this.room - 1, this.#pages.reach(sequence) - end);
    const draftPages = count > 0 ? this.#pages.grow(sequence, end + count) : [];
    this.#add(sequence, {
      count: 1,
      newPages: [...newPages, ...draftPages],
      drafts: count > 0 ? drafts.slice(0, count) : [],
    });
    this.#decodeRows += 1 + Math.max(0, count);
  }

  /**
   * The micro-batch. Pages that no row after it sees are given back and may be part of the next micro-batch, although
   * this one is not sent yet: every stage takes frames in order and finishes one before it begins the next.
   */
  finish(closes: readonly number[], group: number | null): MicroBatch {
    this.#pages.giveBack(this.#unseen);
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

  #add(
    sequence: Sequence,
    span: { readonly count: number; readonly newPages: readonly number[]; readonly drafts: readonly number[] },
  ): void {
    const { count, newPages, drafts } = span;
    const position = sequence.sentEnd;
    const end = position + count;
    if (!this.#wireIds.isOpen(sequence)) this.open(sequence);
    this.#spans.push({
      sequence,
      wireId: this.#wireIds.open(sequence),
      position,
      count: count + drafts.length,
      pages: position === sequence.prefillStart ? [...this.#pages.table(sequence)] : newPages,
      firstPage: this.#pages.firstVisibleEntry(position),
      sample: end >= sequence.length && sequence.job.maxTokens > 0,
      drafts,
      scored: scoredRows(sequence, position, end),
      carried: end > sequence.length,
    });
    this.#members.add(sequence);
    this.#rows += count + drafts.length;
    this.#pages.register(sequence, end);
    // A wrong draft is computed again, so that only the certain rows move the window. A carried row moves it when its
    // token is known: its page is registered before the window leaves it behind.
    this.#unseen.push(...this.#pages.dropUnseen(sequence, Math.min(end, sequence.length)));
  }
}

/** Rows of [position, end) with a prompt token after them: with a prompt of 5, of rows 2, 3, 4 the first two. */
function scoredRows(sequence: Sequence, position: number, end: number): number {
  if (sequence.job.promptLogprobs === null || sequence.generated > 0) return 0;
  return Math.max(0, Math.min(end, sequence.promptLength - 1) - position);
}
