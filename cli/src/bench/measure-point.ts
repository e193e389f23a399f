import type { BenchTarget } from "./bench-target.js";
import type { ClusterSamples } from "./figures/cluster-samples.js";
import { type Percentiles, percentilesOf } from "./figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "./figures/pipeline-figures.js";
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
  /** Cores that the bench itself took in that time. */
  readonly benchCores: number;
  /** Of the same time; null when the operations servers are out of reach. */
  readonly inside: PipelineFigures | null;
}

/** One end of the time in which all streams decode. */
interface Mark {
  readonly at: number;
  readonly cpu: NodeJS.CpuUsage;
  readonly samples: Promise<ClusterSamples | null>;
}

const WARM_UP = { promptTokens: 8, maxTokens: 4 } as const;

/** Warms the cluster up with as many short streams, then measures. Throws MEASUREMENT_VOID and the cluster's own errors. */
export async function measurePoint(target: BenchTarget, options: PointOptions): Promise<Point> {
  const { concurrency, promptTokens, maxTokens, cache, prompts } = options;
  const { maxTokens: few, promptTokens: short } = WARM_UP;
  await target.run({ prompts: prompts.prompts(concurrency, short), maxTokens: few, cache });

  const marks: Mark[] = [];
  const mark = (): void =>
    void marks.push({ at: performance.now(), cpu: process.cpuUsage(), samples: target.scrape() });
  const measured = prompts.prompts(concurrency, promptTokens);
  const streams = await target.run({
    prompts: measured,
    maxTokens,
    cache,
    onAllDecoding: mark,
    onFirstEnd: mark,
  });
  const figures = figuresOf(streams, promptTokens);
  const [from, to] = marks as [Mark, Mark]; // figuresOf has refused streams without them
  const inside = pipelineFigures(await from.samples, await to.samples);
  return { concurrency, ...figures, benchCores: coresBetween(from, to), inside };
}

function figuresOf(
  streams: readonly StreamRecord[],
  promptTokens: number,
): Omit<Point, "concurrency" | "benchCores" | "inside"> {
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

function coresBetween(from: Mark, to: Mark): number {
  const used = (cpu: NodeJS.CpuUsage): number => cpu.user + cpu.system;
  return (used(to.cpu) - used(from.cpu)) / ((to.at - from.at) * 1000);
}
