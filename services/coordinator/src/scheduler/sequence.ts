import type { GenerationJob } from "@rhone/common";
import { DraftSource } from "./drafts/draft-source.js";
import type { PageCopy } from "./pages/kv-pages.js";
import { PageTable } from "./pages/page-table.js";
import type { PrefixCursor } from "./pages/prefix-cache.js";

/**
 * waiting: no pages. prefilling: known tokens are being computed. decoding: everything known is computed or in flight.
 * ended: forgotten by the scheduler.
 */
export type Phase = "waiting" | "prefilling" | "decoding" | "ended";

/** Batch sequences rank behind every interactive one. */
const BATCH_RANK = 2 ** 40;

/** One sequence's token ids, and how far the pipeline has come with them. Owned by the scheduler, read by others. */
export class Sequence {
  readonly job: GenerationJob;
  readonly promptLength: number;
  /** Smaller goes first: the lane, then the order of arrival. */
  readonly rank: number;
  readonly table: PageTable;
  readonly drafts = new DraftSource();
  phase: Phase = "waiting";
  /** How many sequences had come before it, and how many when it had its first token; null before that. */
  readonly arrival: number;
  begunAfter: number | null = null;
  /** Its id on the wire while it runs. */
  wireId = -1;
  /** Whether the stages were told of it. */
  opened = false;
  /** The micro-batch group that it decodes in. */
  group = 0;
  /** Positions [0, scheduled) were sent to the stages, or came from the prefix cache. */
  scheduled = 0;
  /** Where its computation began this time: behind what the prefix cache had. */
  begun = 0;
  /** Spans sent whose results have not returned. */
  inFlight = 0;
  /** Times a stage failed while computing it. */
  failures = 0;
  /** Where it stands in the prefix cache; null when it registers nothing (any more). */
  cursor: PrefixCursor | null = null;
  /** Entries of its page table that the prefix cache knows of. */
  registered = 0;
  /** A page to copy before its first span. */
  copy: PageCopy | null = null;
  /** It has run; if it waits, it was evicted. */
  started = false;
  /** Prompt tokens that were not computed for it when it first ran. */
  cachedTokens = 0;
  #tokens: Int32Array;
  #known: number;

  constructor(options: {
    readonly job: GenerationJob;
    /** Tokens that were generated before, when another coordinator began it. */
    readonly generated: readonly number[];
    readonly arrival: number;
    readonly pageSize: number;
  }) {
    const { job, generated } = options;
    this.job = job;
    this.promptLength = job.promptIds.length;
    this.arrival = options.arrival;
    this.rank = options.arrival + (job.lane === "batch" ? BATCH_RANK : 0);
    this.table = new PageTable(options.pageSize);
    this.#known = this.promptLength + generated.length;
    this.#tokens = new Int32Array(this.#known + Math.min(job.maxTokens, 256));
    this.#tokens.set(job.promptIds);
    this.#tokens.set(generated, this.promptLength);
  }

  /** Tokens known: the prompt and everything generated. */
  get known(): number {
    return this.#known;
  }

  get generated(): number {
    return this.#known - this.promptLength;
  }

  /**
   * Positions [0, due) must be computed before anything more can be known. A scored prompt's last row tells nothing; an
   * embedded prompt's does.
   */
  get due(): number {
    if (this.job.pooling !== null) return this.promptLength;
    return this.job.maxTokens === 0 ? this.promptLength - 1 : this.#known;
  }

  /** A view of tokens [start, end), valid until the next append. */
  tokens(start: number, end: number): Int32Array {
    return this.#tokens.subarray(start, Math.min(end, this.#known));
  }

  append(token: number): void {
    if (this.#known === this.#tokens.length) {
      const larger = new Int32Array(this.#tokens.length * 2);
      larger.set(this.#tokens);
      this.#tokens = larger;
    }
    this.#tokens[this.#known++] = token;
  }

  /** Nothing is computed any more. */
  forgetPages(): void {
    this.table.clear();
    this.cursor = null;
    this.registered = 0;
    this.copy = null;
    this.scheduled = 0;
  }
}
