/** Most addresses that are remembered; the one that failed first goes first. */
const MOST_ADDRESSES = 10_000;
const WINDOW_MS = 60_000;

interface Failures {
  count: number;
  readonly untilMs: number;
}

/** Counts the wrong API keys that came from an address within a minute. */
export class FailedKeys {
  readonly #most: number;
  readonly #now: () => number;
  readonly #failures = new Map<string, Failures>();

  /** `most`: wrong keys per minute and address. `now`: milliseconds of a monotonic clock. */
  constructor(most: number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#now = now;
  }

  /** Milliseconds until keys from the address are looked up again; 0: they are. */
  waitMs(address: string): number {
    const { count, untilMs } = this.#failures.get(address) ?? { count: 0, untilMs: 0 };
    return count < this.#most ? 0 : Math.max(0, untilMs - this.#now());
  }

  add(address: string): void {
    const now = this.#now();
    const known = this.#failures.get(address);
    if (known !== undefined && known.untilMs > now) {
      known.count++;
      return;
    }
    this.#failures.delete(address);
    this.#failures.set(address, { count: 1, untilMs: now + WINDOW_MS });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MOST_ADDRESSES && oldest !== undefined) this.#failures.delete(oldest);
  }
}
