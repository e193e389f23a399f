/** Milliseconds, each to the microsecond. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/**
 * The quantile of `sorted` at `share` (0 to 1), interpolated between neighbours as numpy does: [10, 20, 30, 40] at 0.5
 * -> 25, at 0.95 -> 38.5. NaN for no values.
 */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(quantile(sorted, share) * 1000) / 1000;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** NaN for no values. */
export const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

/**
 * The element with the median `key`; of an even number, the lower of the middle two. Throws RangeError for no values.
 */
export function medianBy<T>(values: readonly T[], key: (value: T) => number): T {
  const sorted = values.toSorted((a, b) => key(a) - key(b));
  const middle = sorted[(sorted.length - 1) >> 1];
  if (middle === undefined) throw new RangeError("The median of no values");
  return middle;
}
