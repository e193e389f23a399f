const NONE: readonly number[] = [];

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

  /** How many pages must be appended before positions [0, end) all have one. */
  missing(end: number): number {
    return Math.max(0, Math.ceil(end / this.#pageSize) - this.#pages.length);
  }

  append(pages: readonly number[]): void {
    for (const page of pages) this.#pages.push(page);
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
