import type { RhoneError } from "../errors/rhone-error.js";
import { FairWaiters } from "./fair-waiters.js";

export interface FairLineOptions {
  /** Jobs that may wait. */
  readonly most: number;
  /** How long one may wait, in milliseconds. */
  readonly withinMs: number;
  /** The error of one that can't wait; `why`: "64 requests are waiting". */
  readonly busy: (why: string) => RhoneError;
}

/** Runs jobs one at a time. Those that wait take turns by owner. */
export class FairLine {
  readonly #withinMs: number;
  readonly #waiting: FairWaiters<null>;
  #isBusy = false;

  constructor({ withinMs, ...options }: FairLineOptions) {
    this.#withinMs = withinMs;
    this.#waiting = new FairWaiters(options);
  }

  /** What `job` returns or throws. Throws `busy` when too many wait, or for too long. */
  async run<T>(owner: string, job: () => Promise<T>): Promise<T> {
    if (this.#isBusy) await this.#waiting.wait({ owner, item: null, withinMs: this.#withinMs });
    this.#isBusy = true;
    try {
      return await job();
    } finally {
      this.#isBusy = this.#waiting.next(() => true);
    }
  }
}
