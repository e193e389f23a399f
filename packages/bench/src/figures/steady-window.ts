import { RhoneError } from "@rhone/common";

/** When the tokens of one stream arrived: milliseconds on one clock, ascending, one entry per token. */
export type Arrivals = readonly number[];

/** The time in which all streams decode: from the last stream's first token to the first stream's last token. */
export interface SteadyWindow {
  readonly from: number;
  readonly to: number;
}

export interface DecodeRate {
  readonly tokensPerSecond: number;
  /** Gaps between tokens that were counted. */
  readonly tokens: number;
  readonly seconds: number;
}

/** Throws MEASUREMENT_VOID when the streams were never all decoding at once. */
export function steadyWindowOf(streams: readonly Arrivals[]): SteadyWindow {
  const from = Math.max(...streams.map((arrivals) => arrivals[0] ?? Number.POSITIVE_INFINITY));
  const to = Math.min(...streams.map((arrivals) => arrivals.at(-1) ?? Number.NEGATIVE_INFINITY));
  const overlap = streams.every((arrivals) => inWindow(arrivals, { from, to }).length >= 2);
  if (overlap) return { from, to };
  throw new RhoneError(
    "MEASUREMENT_VOID",
    `The first of ${streams.length} streams ended before all of them were decoding, so there is no steady state. ` +
      "Raise --max-tokens, lower --concurrency, or serve with --target-itl off.",
  );
}

/**
 * Tokens per second of all streams together: the sum of each stream's rate between its first and its last token in the
 * window. Tokens arrive in bursts, one per stream and step; a count over the whole window would depend on which side of
 * its edges a burst falls. Two streams with tokens at 0, 100, 200 and 10, 110, 210 ms, window 10 to 200: one gap of 100
 * ms each -> 20 tokens/s.
 */
export function decodeRate(streams: readonly Arrivals[], window: SteadyWindow): DecodeRate {
  const inside = streams.map((arrivals) => inWindow(arrivals, window));
  const tokensPerSecond = inside.reduce((sum, arrivals) => sum + rateOf(arrivals), 0);
  const tokens = inside.reduce((sum, { length }) => sum + length - 1, 0);
  return { tokensPerSecond, tokens, seconds: (window.to - window.from) / 1000 };
}

/** Gaps between each token and the one before: [10, 30, 60] -> [20, 30]. */
export const gapsOf = (arrivals: Arrivals): readonly number[] =>
  arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? at));

/** Gaps between tokens that both arrived within the window. */
export function gapsWithin(arrivals: Arrivals, window: SteadyWindow): readonly number[] {
  return gapsOf(inWindow(arrivals, window));
}

/** Gaps that end within the window, also those that began before it: a stream may be waiting as the window begins. */
export function gapsEndingIn(arrivals: Arrivals, { from, to }: SteadyWindow): readonly number[] {
  return arrivals.flatMap((at, index) => {
    const before = arrivals[index - 1];
    return before === undefined || at < from || at > to ? [] : [at - before];
  });
}

const inWindow = (arrivals: Arrivals, { from, to }: SteadyWindow): Arrivals =>
  arrivals.filter((at) => at >= from && at <= to);

function rateOf(arrivals: Arrivals): number {
  const [first = 0] = arrivals;
  const last = arrivals.at(-1) ?? first;
  return last > first ? ((arrivals.length - 1) * 1000) / (last - first) : 0;
}
