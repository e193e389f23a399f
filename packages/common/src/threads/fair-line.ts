import { FairWaiters, type FairWaitersOptions } from "./fair-waiters.js";

export interface FairLineOptions extends FairWaitersOptions<null> {
  /** Jobs that run at a time; default: 1. */
  readonly atOnce?: number;
  /** How long one may wait, in milliseconds; default: as long as it takes. */
  readonly withinMs?: number;
}

/** Runs one job at a time, or a few. Those that wait take turns by owner. */
export class FairLine {
  readonly #atOnce: number;
  readonly #withinMs: number;
  readonly #waiting: FairWaiters<null>;
  #running = 0;

  constructor({ atOnce = 1, withinMs = Number.POSITIVE_INFINITY, ...options }: FairLineOptions) {
    this.#atOnce = atOnce;
    this.#withinMs = withinMs;
    this.#waiting = new FairWaiters<null>(options);
  }

  /**
   * What `job` returns or throws. Throws `busy` when too many wait, or for too long, and the reason of `signal` when it
   * is aborted before the job runs.
   */
  async run<T>(owner: string, job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#running < this.#atOnce) this.#running++;
    // A job that ends leaves its place to the next.
    else await this.#waiting.wait({ owner, item: null, withinMs: this.#withinMs, signal });
    try {
      return await job();
    } finally {
      if (!this.#waiting.next()) this.#running--;
    }
  }
}
