import { mayBeCached } from "@rhone/common";
import { firstVisiblePosition, type KvShape, livePages } from "@rhone/planner";
import type { Sequence } from "../sequence.js";
import { HeldLinks } from "./held-links.js";
import { PagePool } from "./page-pool.js";
import { PrefixCache, type PrefixCursor } from "./prefix-cache.js";

/** Copies whole page `from` to page `to`, in every layer of every stage. */
export interface PageCopy {
  readonly from: number;
  readonly to: number;
}

export interface PageCounts {
  readonly total: number;
  /** Pages that hold nothing. */
  readonly free: number;
  /** Pages of the prefix cache without a sequence; they are evicted when no page is free. */
  readonly cached: number;
}

/**
 * The pages that one running sequence holds. Entry i of its page table holds positions [i * pageSize, (i + 1) *
 * pageSize).
 */
interface Lease {
  /** Every entry from the first on; those below `firstHeld` are arbitrary: no row sees them any more. */
  readonly entries: number[];
  firstHeld: number;
  /** Entries that the prefix cache knows. */
  cachedEntries: number;
  /** Its place in the prefix cache; null when it registers nothing (any more). */
  cursor: PrefixCursor | null;
  /** A page to be copied before its first span. */
  copy: PageCopy | null;
}

/** The page table's entry for positions that the window has left behind. */
const NO_PAGE = 0;

/** Which sequence holds which page of a pipeline, for the time of one epoch. */
export class KvPages {
  readonly #shape: KvShape;
  readonly #pool: PagePool;
  readonly #cache: PrefixCache;
  readonly #leases = new Map<Sequence, Lease>();

  /** `links`: told of every page that the prefix cache gets or loses. */
  constructor(shape: KvShape, total: number, links = new HeldLinks()) {
    this.#shape = shape;
    this.#pool = new PagePool(total, (page) => this.#cache.forget(page));
    this.#cache = new PrefixCache({ ...shape, pages: this.#pool, links });
  }

  get counts(): PageCounts {
    const { total, free, cached } = this.#pool;
    return { total, free, cached };
  }

  /** Pages that can be taken without evicting a sequence. */
  get available(): number {
    return this.#pool.available;
  }

  /**
   * Opens the lease of a waiting sequence with the pages that already hold its beginning. Returns the number of
   * positions that need not be computed.
   */
  acquire(sequence: Sequence): number {
    const lease: Lease = { entries: [], firstHeld: 0, cachedEntries: 0, cursor: null, copy: null };
    this.#leases.set(sequence, lease);
    const { job, prefillEnd } = sequence;
    if (!job.cachePrompt) return 0;
    const hit = this.#cache.acquire(job.cacheSalt, sequence.tokens(0, prefillEnd), cacheableEnd(sequence));
    lease.cursor = hit?.cursor ?? this.#cache.root(job.cacheSalt);
    if (hit === null) return 0;
    for (let entry = 0; entry < hit.first; entry++) lease.entries.push(NO_PAGE);
    lease.firstHeld = hit.first;
    lease.entries.push(...hit.pages);
    lease.cachedEntries = lease.entries.length;
    if (hit.copyFrom !== null && this.#beginCopy(sequence, lease, hit.copyFrom)) {
      this.#pool.release(this.#drop(lease, hit.length));
      return hit.length;
    }
    return lease.entries.length * this.#shape.pageSize;
  }

  /** Rows that a waiting sequence would have to compute if it started now. */
  lacking(sequence: Sequence): number {
    const { job, prefillEnd } = sequence;
    const tokens = sequence.tokens(0, prefillEnd);
    return prefillEnd - this.#cache.lengthOf(job.cacheSalt, tokens, cacheableEnd(sequence));
  }

  /** Ends the lease and gives its pages back; full pages of known tokens stay in the prefix cache. */
  release(sequence: Sequence): void {
    const lease = this.#leaseOf(sequence);
    this.#leases.delete(sequence);
    if (lease.copy !== null) this.#pool.release([lease.copy.from]);
    if (lease.cursor !== null) this.#cache.unpin(lease.cursor);
    this.#pool.release(lease.entries.slice(lease.firstHeld));
  }

  /** Pages that the sequence holds. */
  held(sequence: Sequence): number {
    const { entries, firstHeld } = this.#leaseOf(sequence);
    return entries.length - firstHeld;
  }

  /** Pages that it will take until all its known tokens are computed, and one position more. */
  needed(sequence: Sequence): number {
    return Math.max(0, livePages(sequence.prefillEnd + 1, this.#shape) - this.held(sequence));
  }

  /** Pages that must be appended before positions [0, end) are writable. */
  missing(sequence: Sequence, end: number): number {
    return Math.max(0, Math.ceil(end / this.#shape.pageSize) - this.#leaseOf(sequence).entries.length);
  }

  /** The end of the positions that become writable when it takes every available page. */
  reach(sequence: Sequence): number {
    return (this.#leaseOf(sequence).entries.length + this.available) * this.#shape.pageSize;
  }

  /**
   * Appends the pages that make positions [0, end) writable, and returns them. Throws KV_FULL: compare `missing` first.
   */
  grow(sequence: Sequence, end: number): readonly number[] {
    const pages = this.#pool.allocate(this.missing(sequence, end));
    this.#leaseOf(sequence).entries.push(...pages);
    return pages;
  }

  /** The sequence's page table from entry 0 on. */
  table(sequence: Sequence): readonly number[] {
    return this.#leaseOf(sequence).entries;
  }

  /** The table entry of the first page that a row at `position` sees. */
  firstVisibleEntry(position: number): number {
    return Math.floor(firstVisiblePosition(position, this.#shape.slidingWindow) / this.#shape.pageSize);
  }

  /** The copy that must precede the sequence's first span, once; its source is the caller's to give back. */
  takeCopy(sequence: Sequence): PageCopy | null {
    const lease = this.#leaseOf(sequence);
    const { copy } = lease;
    lease.copy = null;
    return copy;
  }

  /** Registers the sequence's full pages below `sentEnd` in the prefix cache: a frame that was sent computes them. */
  register(sequence: Sequence, sentEnd: number): void {
    const { pageSize } = this.#shape;
    const lease = this.#leaseOf(sequence);
    const end = Math.min(sentEnd, sequence.length);
    while (lease.cursor !== null && (lease.cachedEntries + 1) * pageSize <= end) {
      const start = lease.cachedEntries * pageSize;
      const page = pageAt(lease, lease.cachedEntries);
      lease.cursor = this.#cache.insert(lease.cursor, sequence.tokens(start, start + pageSize), page);
      lease.cachedEntries++;
    }
  }

  /**
   * A token of the sequence is known whose row was sent ahead, or rows of drafts turned out right: registers what is
   * full by now, and gives back what the window leaves behind. No frame that was not sent yet sees those pages.
   */
  advance(sequence: Sequence): void {
    const { sentEnd } = sequence;
    this.register(sequence, sentEnd);
    this.giveBack(this.dropUnseen(sequence, sentEnd));
  }

  /** Takes the pages that no row at `position` or later sees out of the lease. They are the caller's to give back. */
  dropUnseen(sequence: Sequence, position: number): readonly number[] {
    return this.#drop(this.#leaseOf(sequence), position);
  }

  /** Takes back pages that no row after the frames sent so far sees. */
  giveBack(pages: readonly number[]): void {
    this.#pool.release(pages);
  }

  #drop(lease: Lease, position: number): readonly number[] {
    const keep = this.firstVisibleEntry(position);
    if (keep <= lease.firstHeld) return NONE;
    const dropped = lease.entries.slice(lease.firstHeld, keep);
    lease.firstHeld = keep;
    return dropped;
  }

  /** A shared page is never written: the sequence gets a copy of it. False when there is no room for both. */
  #beginCopy(sequence: Sequence, lease: Lease, from: number): boolean {
    if (this.#pool.available < this.needed(sequence)) {
      this.#pool.release([from]);
      return false;
    }
    const [to = NO_PAGE] = this.#pool.allocate(1);
    lease.entries.push(to);
    lease.copy = { from, to };
    return true;
  }

  #leaseOf(sequence: Sequence): Lease {
    const lease = this.#leases.get(sequence);
    if (lease === undefined) throw new Error(`Request ${sequence.job.requestId} holds no pages.`);
    return lease;
  }
}

const NONE: readonly number[] = [];

/** At least the last row must be computed: the next token is drawn from its output. */
const cacheableEnd = ({ job, prefillEnd }: Sequence): number => (mayBeCached(job) ? Math.max(0, prefillEnd - 1) : 0);

/** The page of a held entry. */
function pageAt({ entries, firstHeld }: Lease, entry: number): number {
  const page = entry < firstHeld ? undefined : entries[entry];
  if (page === undefined)
    throw new RangeError(`Entry ${entry} is not held: ${firstHeld} to ${entries.length - 1} are.`);
  return page;
}
