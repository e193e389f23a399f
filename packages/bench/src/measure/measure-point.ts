import { type CpuTime, otherCores } from "../figures/cpu-clock.js";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "../figures/pipeline-figures.js";
import type { ClusterSamples } from "../figures/prometheus-samples.js";
import { decodeRate, gapsWithin, steadyWindowOf } from "../figures/steady-window.js";
import type { Prompts } from "../load/prompts.js";
import { type StreamRecord, ttftMsOf } from "../load/token-stream.js";
import type { BenchTarget } from "./bench-target.js";

export interface PointOptions {
  readonly concurrency: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly cache: boolean;
  readonly prompts: Prompts;
}

/** The figures of equal streams that were sent at once. */
export interface Point {
  readonly concurrency: number;
  /** At the client. */
  readonly ttftMs: Percentiles;
  /** Gaps between later tokens while all streams decode. */
  readonly itlMs: Percentiles;
  /** Prompt tokens of all streams over the time from sending to the last stream's first token. */
  readonly prefillTokensPerSecond: number;
  /** While all streams decode. */
  readonly decodeTokensPerSecond: number;
  readonly steadySeconds: number;
  readonly steadyTokens: number;
  /** Cores that the bench itself used in that time. */
  readonly benchCores: number;
  /** Cores that other processes used in that time; null where it can't be told. */
  readonly otherCores: number | null;
  /** Of the same time; null when the operations servers are out of reach. */
  readonly inside: PipelineFigures | null;
}

/** Readings at one end of the steady window. */
interface Mark {
  readonly at: number;
  readonly own: NodeJS.CpuUsage;
  readonly all: CpuTime | null;
  readonly samples: Promise<ClusterSamples | null>;
}

/** Warms the cluster up, then measures one point. Throws MEASUREMENT_VOID and the cluster's own errors. */
export async function measurePoint(target: BenchTarget, options: PointOptions): Promise<Point> {
  const { concurrency, promptTokens, maxTokens, cache, prompts } = options;
  await target.warmUp(prompts, concurrency);

  const marks: Mark[] = [];
  const mark = (): void => void marks.push(markNow(target));
  const measured = prompts.prompts(concurrency, promptTokens);
  const streams = await target.run({
    prompts: measured,
    maxTokens,
    cache,
    onAllDecoding: mark,
    onFirstEnd: mark,
  });
  const figures = figuresOf(streams, promptTokens);
  const [from, to] = marks as [Mark, Mark]; // figuresOf has thrown for streams without them
  const inside = pipelineFigures(await from.samples, await to.samples);
  const cores = { benchCores: coresBetween(from, to), otherCores: otherCores(from.all, to.all) };
  return { concurrency, ...figures, ...cores, inside };
}

function markNow(target: BenchTarget): Mark {
  const samples = target.scrape();
  samples.catch(() => {}); // a void measurement ends before it is awaited
  return { at: performance.now(), own: process.cpuUsage(), all: target.cpuClock?.read() ?? null, samples };
}

function figuresOf(
  streams: readonly StreamRecord[],
  promptTokens: number,
): Omit<Point, "concurrency" | "benchCores" | "otherCores" | "inside"> {
  const arrivals = streams.map((stream) => stream.arrivals);
  const steady = steadyWindowOf(arrivals);
  const rate = decodeRate(arrivals, steady);
  const releasedAt = Math.min(...streams.map(({ sentAt }) => sentAt));
  return {
    ttftMs: percentilesOf(streams.map(ttftMsOf)),
    itlMs: percentilesOf(arrivals.flatMap((times) => gapsWithin(times, steady))),
    prefillTokensPerSecond: (streams.length * promptTokens * 1000) / (steady.from - releasedAt),
    decodeTokensPerSecond: rate.tokensPerSecond,
    steadySeconds: rate.seconds,
    steadyTokens: rate.tokens,
  };
}

function coresBetween(from: Mark, to: Mark): number {
  const used = (cpu: NodeJS.CpuUsage): number => cpu.user + cpu.system;
  return (used(to.own) - used(from.own)) / ((to.at - from.at) * 1000);
}
