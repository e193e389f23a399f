interface Due {
  readonly atMs: number;
  /** Breaks ties: what was asked for first happens first. */
  readonly order: number;
  readonly action: () => void;
}

/** Events that have happened and are still in the list. */
const MOST_PAST = 1024;

/** Time that passes from event to event. Nothing waits: an hour of it takes as long as its events do. */
export class VirtualClock {
  /** Ascending in time, from `#head` on. */
  readonly #due: Due[] = [];
  #head = 0;
  #orders = 0;
  #nowMs = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, action: () => void): void {
    const entry = { atMs: this.#nowMs + ms, order: this.#orders++, action };
    let at = this.#due.length;
    // Few events are under way at once and most are asked for last-due: the search from the end is short.
    while (at > this.#head && (this.#due[at - 1]?.atMs ?? 0) > entry.atMs) at--;
    this.#due.splice(at, 0, entry);
  }

  /** Lets the next event happen; false when none is left before `untilMs`. */
  step(untilMs: number): boolean {
    const next = this.#due[this.#head];
    if (next === undefined || next.atMs >= untilMs) return false;
    this.#nowMs = next.atMs;
    if (++this.#head > MOST_PAST) {
      this.#due.splice(0, this.#head);
      this.#head = 0;
    }
    next.action();
    return true;
  }
}
