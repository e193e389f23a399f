import { RhoneError } from "@rhone/common";

/**
 * The pages 0 … total-1 of a pipeline, counted by reference. A page without references is free, or, when it is marked,
 * cached: it keeps its contents until it is retained again or evicted because no page is free.
 */
export class PagePool {
  readonly total: number;
  readonly #free: number[];
  readonly #references: Uint32Array;
  readonly #marked: Uint8Array;
  /** Marked pages without references, in the order in which they are evicted. */
  readonly #cached = new Set<number>();
  readonly #onEvict: (page: number) => void;

  /** `onEvict` is called with each cached page that is taken for other contents. */
  constructor(total: number, onEvict: (page: number) => void = () => {}) {
    this.total = total;
    this.#free = Array.from({ length: total }, (_, index) => total - 1 - index);
    this.#references = new Uint32Array(total);
    this.#marked = new Uint8Array(total);
    this.#onEvict = onEvict;
  }

  /** Pages that hold nothing. */
  get free(): number {
    return this.#free.length;
  }

  /** Marked pages without references. */
  get cached(): number {
    return this.#cached.size;
  }

  /** Pages that `allocate` can return. */
  get available(): number {
    return this.#free.length + this.#cached.size;
  }

  /** Allocates pages, each with one reference. Throws KV_FULL when fewer are available: callers make room first. */
  allocate(count: number): readonly number[] {
    if (count > this.available) {
      throw new RhoneError(
        "KV_FULL",
        `${count} pages were asked for; ${this.available} of ${this.total} are available.`,
      );
    }
    return Array.from({ length: count }, () => this.#allocateOne());
  }

  /** Adds a reference to each page. Throws INTERNAL for a free page: its contents may be overwritten. */
  retain(pages: readonly number[]): void {
    for (const page of pages) {
      if (this.#references[page] === 0 && !this.#cached.delete(page)) {
        throw new RhoneError("INTERNAL", `Page ${page} was retained while it was free.`);
      }
      this.#count(page, 1);
    }
  }

  /**
   * Removes a reference from each page. Of the pages released by one call the last is evicted first: a later prompt can
   * use the beginning of a sequence without its end. Throws INTERNAL for a page without references, because two owners
   * of one page would corrupt both.
   */
  release(pages: readonly number[]): void {
    for (const page of pages.toReversed()) {
      if (this.#references[page] === 0) throw new RhoneError("INTERNAL", `Page ${page} was released twice.`);
      if (this.#count(page, -1) > 0) continue;
      if (this.#marked[page] === 1) this.#cached.add(page);
      else this.#free.push(page);
    }
  }

  /** The page keeps its contents when its last reference is removed. */
  mark(page: number): void {
    this.#marked[page] = 1;
  }

  #allocateOne(): number {
    const page = this.#free.pop() ?? this.#evict();
    this.#count(page, 1);
    return page;
  }

  #evict(): number {
    const [page] = this.#cached;
    if (page === undefined) throw new RhoneError("INTERNAL", "No page is left to evict.");
    this.#cached.delete(page);
    this.#marked[page] = 0;
    this.#onEvict(page);
    return page;
  }

  #count(page: number, change: 1 | -1): number {
    const count = (this.#references[page] ?? 0) + change;
    this.#references[page] = count;
    return count;
  }
}
