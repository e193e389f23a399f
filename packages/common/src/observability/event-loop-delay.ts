import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

/** How often the delay is measured, which it contains; every 10 ms, as by default, costs 0.3 % of a core. */
const PRECISION_MS = 20;
const WINDOW_MS = 30_000;

/** Times since the event loop turned last, in seconds; all of them 0 where nothing was measured. */
export interface Delays {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly stddev: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/**
 * How long timers of this process waited for its event loop in the last 30 to 60 s. The windows are the process's own
 * and reading ends none, so each of several readers sees every delay, if it reads once in 30 s.
 */
export class EventLoopDelay {
  /** Of two histograms each begins again at every other window's end, so the older one has a whole window or more. */
  #older = begun();
  #newer = begun();
  readonly #timer = setInterval(() => this.nextWindow(), WINDOW_MS).unref();

  nextWindow(): void {
    this.#older.reset();
    [this.#older, this.#newer] = [this.#newer, this.#older];
  }

  get delays(): Delays {
    const shown = this.#older;
    const inSeconds = (ns: number): number => (shown.count === 0 ? 0 : ns / 1e9);
    const percentile = (share: number): number => inSeconds(shown.percentile(share));
    return {
      min: inSeconds(shown.min),
      max: inSeconds(shown.max),
      mean: inSeconds(shown.mean),
      stddev: inSeconds(shown.stddev),
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    for (const each of [this.#older, this.#newer]) each.disable();
  }
}

function begun(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: PRECISION_MS });
  histogram.enable();
  return histogram;
}
