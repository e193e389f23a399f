/** Records that are read at a time for a list, so that a long list does not fill the event loop with its answers. */
const AT_ONCE = 8;
/** Lists that read at a time: 300 at once read 2,400 records, in turns of 0.6 s. */
const LISTS = 4;

/** Reads the items of lists: a few at a time of each list, and of a few lists at a time, which take turns. */
export class InTurns {
  readonly #waiting: (() => void)[] = [];
  #reading = 0;

  /**
   * `use` of every item, in their order. It must not wait for another list. Throws the reason of `leaving` once that is
   * aborted: nobody waits for the list any more.
   */
  async all<T, R>(items: readonly T[], use: (item: T) => Promise<R>, leaving?: AbortSignal): Promise<readonly R[]> {
    const results: R[] = [];
    for (let at = 0; at < items.length; at += AT_ONCE) {
      await this.#enter();
      try {
        leaving?.throwIfAborted();
        results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(use))));
      } finally {
        this.#leave();
      }
    }
    return results;
  }

  async #enter(): Promise<void> {
    if (this.#reading++ >= LISTS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    this.#reading--;
    this.#waiting.shift()?.();
  }
}
