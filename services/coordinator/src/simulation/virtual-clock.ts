interface Due {
  readonly atMs: number;
  /** Breaks ties: the event that was scheduled first happens first. */
  readonly order: number;
  readonly action: () => void;
}

/** Past events that may stay in the list before it is compacted. */
const MOST_PAST = 1024;

/** A clock that jumps from event to event: an hour of its time takes only as long as the events' actions. */
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
    // Few events are pending and most new ones are due last, so the search from the end is short.
    while (at > this.#head && (this.#due[at - 1]?.atMs ?? 0) > entry.atMs) at--;
    this.#due.splice(at, 0, entry);
  }

  /** Runs the next event's action; false when none is due before `untilMs`. */
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
