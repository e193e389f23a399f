/** The longest of successive waits, the one under way included. Times are milliseconds of one clock. */
export class LongestWait {
  #since: number | undefined;
  #longest = 0;

  begin(now: number): void {
    this.#since = now;
  }

  /** Ends the wait that began last. */
  end(now: number): void {
    if (this.#since !== undefined) this.#longest = Math.max(this.#longest, now - this.#since);
    this.#since = undefined;
  }

  /** Forgets a wait under way. */
  drop(): void {
    this.#since = undefined;
  }

  /** The longest wait since the last call; a wait under way counts with its length so far, here and next time. */
  take(now: number): number {
    const open = this.#since === undefined ? 0 : now - this.#since;
    const longest = Math.max(this.#longest, open);
    this.#longest = 0;
    return longest;
  }
}
