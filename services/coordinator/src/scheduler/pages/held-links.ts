/** Links that are remembered; a larger cache is known to others in part. */
const MOST_HELD = 2 ** 15;

/** The links (prefix-links.ts) of the texts in the prefix cache, and which of them are to be told to others. */
export class HeldLinks {
  readonly #held = new Set<string>();
  readonly #untold = new Set<string>();

  get size(): number {
    return this.#held.size;
  }

  has(link: string): boolean {
    return this.#held.has(link);
  }

  add(links: readonly string[]): void {
    for (const link of links) {
      if (this.#held.size >= MOST_HELD) return;
      this.#held.add(link);
      this.#untold.add(link);
    }
  }

  delete(links: readonly string[]): void {
    for (const link of links) if (this.#held.delete(link)) this.#untold.add(link);
  }

  /** All pages are lost. */
  clear(): void {
    this.delete([...this.#held]);
  }

  /** Others may believe what is not so about these links. */
  doubt(links: Iterable<string> = this.#held): void {
    for (const link of links) this.#untold.add(link);
  }

  /** Up to `most` links that others are to be told of: those that are held, and those that are not. */
  takeUntold(most: number): { readonly held: readonly string[]; readonly gone: readonly string[] } {
    const [held, gone]: [string[], string[]] = [[], []];
    for (const link of this.#untold) {
      if (held.length + gone.length >= most) break;
      this.#untold.delete(link);
      (this.#held.has(link) ? held : gone).push(link);
    }
    return { held, gone };
  }
}
