/** Aborts `signal` when nobody calls `refresh` for `stallMs`, or when the outer signal aborts. `stop` when done. */
export class StallTimer {
  readonly stallMs: number;
  readonly signal: AbortSignal;
  readonly #stall = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs: number, outer: AbortSignal | undefined) {
    this.stallMs = stallMs;
    this.signal = outer === undefined ? this.#stall.signal : AbortSignal.any([outer, this.#stall.signal]);
    this.#timer = setTimeout(() => this.#stall.abort(), stallMs);
  }

  /** Whether the time ran out. */
  get stalled(): boolean {
    return this.#stall.signal.aborted;
  }

  refresh(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
