import { RhoneError } from "@rhone/common";

export interface Sweep {
  /** Looks for work, and begins it. It should begin none once the sweeper is closing. */
  readonly look: () => Promise<void>;
  /** From the end of a look to the next one, in milliseconds. */
  readonly pauseMs: () => number;
  /** Told when a look failed; the next one comes all the same. */
  readonly failed: (err: unknown) => void;
}

/** Looks for work again and again, one look at a time: after each pause, or at once when it is woken. */
export class Sweeper {
  readonly #sweep: Sweep;
  readonly #closing = new AbortController();
  #looking: Promise<void> = Promise.resolve();
  /** undefined while it is looking, and before it starts. */
  #timer: NodeJS.Timeout | undefined;
  #isWoken = false;

  constructor(sweep: Sweep) {
    this.#sweep = sweep;
  }

  /** Aborted, with SHUTTING_DOWN, when it is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** The first look. Does nothing once it is closed. */
  start(): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = undefined;
    this.#isWoken = false;
    this.#looking = this.#sweep.look().catch(this.#sweep.failed);
    void this.#looking.then(() => {
      if (this.#closing.signal.aborted) return;
      this.#timer = setTimeout(() => this.start(), this.#isWoken ? 0 : this.#sweep.pauseMs());
    });
  }

  /** There may be work now: it need not wait for the next look. */
  wake(): void {
    this.#isWoken = true;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.start();
  }

  /** Ends the looks. Resolves when the last one is over; what it began may go on. */
  async close(): Promise<void> {
    this.#closing.abort(new RhoneError("SHUTTING_DOWN", "The gateway is stopping."));
    clearTimeout(this.#timer);
    await this.#looking;
  }
}
