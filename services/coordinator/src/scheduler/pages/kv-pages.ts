import type { Sequence } from "../sequence.js";
import { PagePool } from "./page-pool.js";
import { PrefixCache } from "./prefix-cache.js";
import { firstVisible, type KvShape, livePages } from "./window.js";

/** Copies whole page `from` to page `to`, in every layer of every stage. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

export interface PageCounts {
  readonly total: number;
  /** Hold nothing. */
  readonly free: number;
  /** Hold what a later request may begin with; taken when no page is free. */
  readonly cached: number;
}

/** Who holds which page of a pipeline, for the time of one epoch. */
export class KvPages {
  readonly #shape: KvShape;
  readonly #pool: PagePool;
  readonly #cache: PrefixCache;

  constructor(shape: KvShape, total: number) {
    this.#shape = shape;
    this.#pool = new PagePool(total, (page) => this.#cache.forget(page));
    this.#cache = new PrefixCache({ ...shape, pages: this.#pool });
  }

  get counts(): PageCounts {
    const { total, free, cached } = this.#pool;
    return { total, free, cached };
  }

  /** Pages that can be taken without evicting a sequence. */
  get available(): number {
    return this.#pool.available;
  }

  /** Gives a waiting sequence the pages that hold its beginning already. */
  begin(sequence: Sequence): void {
    const { job, due } = sequence;
    if (!job.cachePrompt) return;
    // At least the last row must be computed: what follows it is drawn from its output. Scores and pooling need every row.
    const limit = job.promptLogprobs === null && job.pooling === null ? due - 1 : 0;
    const hit = this.#cache.acquire(job.cacheSalt, sequence.tokens(0, due), limit);
    sequence.cursor = hit?.cursor ?? this.#cache.root(job.cacheSalt);
    if (hit === null) return;
    sequence.table.adopt(hit.first, hit.pages);
    sequence.registered = hit.first + hit.pages.length;
    sequence.scheduled = sequence.registered * this.#shape.pageSize;
    if (hit.copyFrom !== null) this.#beginCopy(sequence, { from: hit.copyFrom, length: hit.length });
  }

  /** Pages that it will take until all it knows is computed, and one position more. */
  needed(sequence: Sequence): number {
    return Math.max(0, livePages(sequence.due + 1, this.#shape) - sequence.table.held);
  }

  /** Appends the pages that make positions [0, end) writable, and returns them. Throws KV_FULL: see `available` first. */
  grow(sequence: Sequence, end: number): readonly number[] {
    const pages = this.#pool.take(sequence.table.missing(end));
    sequence.table.append(pages);
    return pages;
  }

  /** Registers the sequence's full pages of known tokens, which frames that were sent have computed. */
  register(sequence: Sequence): void {
    const { pageSize } = this.#shape;
    const end = Math.min(sequence.scheduled, sequence.known);
    while (sequence.cursor !== null && (sequence.registered + 1) * pageSize <= end) {
      const start = sequence.registered * pageSize;
      const page = sequence.table.at(sequence.registered);
      sequence.cursor = this.#cache.insert(sequence.cursor, sequence.tokens(start, start + pageSize), page);
      sequence.registered++;
    }
  }

  /** Takes back pages that no row after the frames sent so far sees. */
  release(pages: readonly number[]): void {
    this.#pool.release(pages);
  }

  /** Takes back all that a sequence holds. */
  end(sequence: Sequence): void {
    if (sequence.copy !== null) this.#pool.release([sequence.copy.from]);
    if (sequence.cursor !== null) this.#cache.unpin(sequence.cursor);
    this.#pool.release(sequence.table.clear());
    sequence.forgetPages();
  }

  /** A page that others share is never written: the sequence gets a copy of it, if there is room for both. */
  #beginCopy(sequence: Sequence, { from, length }: { readonly from: number; readonly length: number }): void {
    if (this.#pool.available < this.needed(sequence)) {
      this.#pool.release([from]);
      return;
    }
    const [to = 0] = this.#pool.take(1);
    sequence.table.append([to]);
    sequence.copy = { from, to };
    sequence.scheduled = length;
    this.#pool.release(sequence.table.dropBelow(firstVisible(length, this.#shape.slidingWindow)));
  }
}
