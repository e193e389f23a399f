import { RhoneError } from "@rhone/common";

/**
 * The pages 0 … total-1 of a pipeline, counted by reference; the same ids hold on every stage. A page that nobody
 * refers to is free, or, when it was marked to be kept, waits with its content until it is retained again or its place
 * is needed.
 */
export class PagePool {
  readonly total: number;
  readonly #free: number[];
  readonly #references: Uint32Array;
  readonly #marked: Uint8Array;
  /** Kept pages without references, the one to be given up first at the front. */
  readonly #kept = new Set<number>();
  readonly #onEvict: (page: number) => void;

  /** `onEvict`: the content of a marked page is given up. */
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

  /** Pages that nobody refers to, kept for what they hold. */
  get cached(): number {
    return this.#kept.size;
  }

  /** Pages that `take` can give. */
  get available(): number {
    return this.#free.length + this.#kept.size;
  }

  /** Each with one reference. Throws KV_FULL when fewer are available: callers make room first. */
  take(count: number): readonly number[] {
    if (count > this.available) {
      throw new RhoneError("KV_FULL", `${count} pages asked for, ${this.available} of ${this.total} are available`);
    }
    return Array.from({ length: count }, () => this.#takeOne());
  }

  /** One more reference to each; they are in use or kept. */
  retain(pages: readonly number[]): void {
    for (const page of pages) {
      if (this.#references[page] === 0 && !this.#kept.delete(page)) {
        throw new RhoneError("INTERNAL", `Page ${page} was retained while it was free`);
      }
      this.#count(page, 1);
    }
  }

  /**
   * One reference less to each. What was given up last goes first when places are needed, so that the end of a sequence
   * goes before its beginning. Throws INTERNAL for a page without references: two owners of one page would corrupt
   * both.
   */
  release(pages: readonly number[]): void {
    for (const page of pages.toReversed()) {
      if (this.#references[page] === 0) throw new RhoneError("INTERNAL", `Page ${page} was given back twice`);
      if (this.#count(page, -1) > 0) continue;
      if (this.#marked[page] === 1) this.#kept.add(page);
      else this.#free.push(page);
    }
  }

  /** Keep the page's content when nobody refers to it any more. */
  mark(page: number): void {
    this.#marked[page] = 1;
  }

  #takeOne(): number {
    const page = this.#free.pop() ?? this.#evict();
    this.#count(page, 1);
    return page;
  }

  #evict(): number {
    const [page] = this.#kept;
    if (page === undefined) throw new RhoneError("INTERNAL", "No page is left to evict");
    this.#kept.delete(page);
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
