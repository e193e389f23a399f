import { RhoneError } from "@rhone/common";

/** The free list of page ids 0 … total-1. The same ids hold on every stage. */
export class PagePool {
  readonly total: number;
  readonly #free: number[];
  readonly #taken: Uint8Array;

  constructor(total: number) {
    this.total = total;
    this.#free = Array.from({ length: total }, (_, index) => total - 1 - index);
    this.#taken = new Uint8Array(total);
  }

  get free(): number {
    return this.#free.length;
  }

  /** Throws KV_FULL when fewer are free: callers make room first. */
  take(count: number): readonly number[] {
    if (count > this.#free.length) {
      throw new RhoneError("KV_FULL", `${count} pages asked for, ${this.#free.length} of ${this.total} are free`);
    }
    const pages = count === 0 ? [] : this.#free.splice(this.#free.length - count, count);
    for (const page of pages) this.#taken[page] = 1;
    return pages;
  }

  /** Throws INTERNAL when a page is free already: two owners of one page would corrupt both. */
  give(pages: readonly number[]): void {
    for (const page of pages) {
      if (this.#taken[page] !== 1) throw new RhoneError("INTERNAL", `Page ${page} was given back twice`);
      this.#taken[page] = 0;
      this.#free.push(page);
    }
  }
}
