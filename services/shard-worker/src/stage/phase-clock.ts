/** Where a step's milliseconds went. */
export interface PhaseTimes {
  /** Describing the graph and giving it memory. */
  readonly build: number;
  /** Copying inputs in. */
  readonly fill: number;
  readonly compute: number;
  /** Copying results out, and sampling. */
  readonly read: number;
}

/** Splits a step into its phases. */
export class PhaseClock {
  #since = 0;
  #times = { build: 0, fill: 0, compute: 0, read: 0 };

  /** A new step begins. */
  start(): void {
    this.#times = { build: 0, fill: 0, compute: 0, read: 0 };
    this.#since = performance.now();
  }

  /** What passed since the last call belongs to `phase`. */
  end(phase: keyof PhaseTimes): void {
    const now = performance.now();
    this.#times[phase] += now - this.#since;
    this.#since = now;
  }

  get times(): PhaseTimes {
    return this.#times;
  }
}
