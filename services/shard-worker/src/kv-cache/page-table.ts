import { RhoneError } from "@rhone/common";

/** The pages of one sequence, in the order of its positions, as the coordinator assigned them. */
export class PageTable {
  readonly #pageSize: number;
  readonly #pages: number[] = [];

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  /** Its number of pages. */
  get length(): number {
    return this.#pages.length;
  }

  append(pages: readonly number[]): void {
    for (const page of pages) this.#pages.push(page);
  }

  /** The row of the cache that holds `position`: with pages of 32, position 70 is row 6 of the table's page 2. */
  rowOf(position: number): number {
    return this.#pageAt(Math.floor(position / this.#pageSize)) * this.#pageSize + (position % this.#pageSize);
  }

  /** Page ids of the table's entries [first, last). */
  slice(first: number, last: number): readonly number[] {
    return Array.from({ length: last - first }, (_, i) => this.#pageAt(first + i));
  }

  #pageAt(index: number): number {
    const page = this.#pages[index];
    if (page === undefined) {
      throw new RhoneError(
        "STAGE_FAILED",
        `A step reaches page ${index} of a sequence that has ${this.#pages.length} pages.`,
      );
    }
    return page;
  }
}
