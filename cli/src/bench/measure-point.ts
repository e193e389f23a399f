import type { BenchTarget } from "./bench-target.js";
import { type Percentiles, percentilesOf } from "./figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "./figures/pipeline-figures.js";
import type { PrometheusSamples } from "./figures/prometheus-samples.js";
import { decodeRate, gapsWithin, steadyWindowOf } from "./figures/steady-window.js";
import type { RandomPrompts } from "./load/random-prompts.js";
import type { StreamRecord } from "./load/token-stream.js";

export interface PointOptions {
  readonly concurrency: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly cache: boolean;
  readonly prompts: RandomPrompts;
}

/** What a number of equal streams, released together, saw. */
export interface Point {
  readonly concurrency: number;
  /** From sending the request to its first token, at the client. */
  readonly ttftMs: Percentiles;
  /** Gaps between later tokens while all streams decode. */
  readonly itlMs: Percentiles;
  /** Prompt tokens of all streams over the time until the last of them has its first token. */
  readonly prefillTokensPerSecond: number;
  /** While all streams decode. */
  readonly decodeTokensPerSecond: number;
  readonly steadySeconds: number;
  readonly steadyTokens: number;
  /** Of the same time; null when the operations servers are out of reach. */
  readonly inside: PipelineFigures | null;
}

const WARM_UP = { promptTokens: 8, maxTokens: 4 } as const;

/** Warms the cluster up with as many short streams, then measures. Throws MEASUREMENT_VOID and the cluster's own errors. */
export async function measurePoint(target: BenchTarget, options: PointOptions): Promise<Point> {
  const { concurrency, promptTokens, maxTokens, cache, prompts } = options;
  const { maxTokens: few, promptTokens: short } = WARM_UP;
  await target.run({ prompts: prompts.prompts(concurrency, short), maxTokens: few, cache });

  const scrapes: Promise<PrometheusSamples | null>[] = [];
  const scrape = (): void => void scrapes.push(target.scrape());
  const measured = prompts.prompts(concurrency, promptTokens);
  const streams = await target.run({
    prompts: measured,
    maxTokens,
    cache,
    onAllDecoding: scrape,
    onFirstEnd: scrape,
  });
  const [before = null, after = null] = await Promise.all(scrapes);
  const inside = before === null || after === null ? null : pipelineFigures(before, after);
  return { concurrency, ...figuresOf(streams, promptTokens), inside };
}

function figuresOf(streams: readonly StreamRecord[], promptTokens: number): Omit<Point, "concurrency" | "inside"> {
  const arrivals = streams.map((stream) => stream.arrivals);
  const steady = steadyWindowOf(arrivals);
  const rate = decodeRate(arrivals, steady);
  const releasedAt = Math.min(...streams.map(({ sentAt }) => sentAt));
  return {
    ttftMs: percentilesOf(streams.map((stream) => (stream.arrivals[0] ?? Number.NaN) - stream.sentAt)),
    itlMs: percentilesOf(arrivals.flatMap((times) => gapsWithin(times, steady))),
    prefillTokensPerSecond: (streams.length * promptTokens * 1000) / (steady.from - releasedAt),
    decodeTokensPerSecond: rate.tokensPerSecond,
    steadySeconds: rate.seconds,
    steadyTokens: rate.tokens,
  };
}
