export interface PatienceOptions {
  /** Without a sign of life for this long a request hangs. */
  readonly patienceMs: number;
  /**
   * Until when the cluster was last disturbed, on the performance clock; now, while it is. A request that gets nothing
   * meanwhile does not hang: the cluster may be down all the time. Absent: never.
   */
  readonly disturbedUntil?: (() => number) | undefined;
}

/** Ends a request that gets nothing for long from a cluster that was well for as long. Close it. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #heardAt = performance.now();

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#wait(options.patienceMs);
  }

  /** Aborted when the request hangs. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** A sign of life. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => {
      const { patienceMs, disturbedUntil = () => 0 } = this.#options;
      const left = patienceMs - (performance.now() - Math.max(this.#heardAt, disturbedUntil()));
      if (left > 0) this.#wait(left);
      else this.#over.abort();
    }, ms);
  }
}
