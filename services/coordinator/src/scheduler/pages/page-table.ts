const NONE: readonly number[] = [];
/** Stands in the table for a page that no row sees any more. */
const GONE = 0;

/** The pages of one sequence: entry i holds positions [i * pageSize, (i + 1) * pageSize). */
export class PageTable {
  readonly #pageSize: number;
  readonly #pages: number[] = [];
  /** Entries below were freed behind the window. */
  #first = 0;

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  /** Pages held now. */
  get held(): number {
    return this.#pages.length - this.#first;
  }

  /** Positions [0, capacity) have had a page. */
  get capacity(): number {
    return this.#pages.length * this.#pageSize;
  }

  /** Every entry from the first on; those that are not held any more are arbitrary. */
  get entries(): readonly number[] {
    return this.#pages;
  }

  /** How many pages must be appended before positions [0, end) all have one. */
  missing(end: number): number {
    return Math.max(0, Math.ceil(end / this.#pageSize) - this.#pages.length);
  }

  append(pages: readonly number[]): void {
    for (const page of pages) this.#pages.push(page);
  }

  /** An empty table takes over pages that hold entries [first, first + pages.length); nothing sees the ones before. */
  adopt(first: number, pages: readonly number[]): void {
    for (let entry = 0; entry < first; entry++) this.#pages.push(GONE);
    this.#first = first;
    this.append(pages);
  }

  /** The page of entry `index`, which is held. */
  at(index: number): number {
    const page = index < this.#first ? undefined : this.#pages[index];
    if (page === undefined) throw new RangeError(`entry ${index} of a table that holds ${this.#first} and following`);
    return page;
  }

  /** The entry of `position`'s page. */
  indexOf(position: number): number {
    return Math.floor(position / this.#pageSize);
  }

  /** Lets go of the pages that lie wholly below `position`, and returns them. */
  dropBelow(position: number): readonly number[] {
    const keep = this.indexOf(position);
    if (keep <= this.#first) return NONE;
    const dropped = this.#pages.slice(this.#first, keep);
    this.#first = keep;
    return dropped;
  }

  /** Lets go of every page, and returns them; the table starts anew. */
  clear(): readonly number[] {
    const dropped = this.#pages.slice(this.#first);
    this.#pages.length = 0;
    this.#first = 0;
    return dropped;
  }
}
