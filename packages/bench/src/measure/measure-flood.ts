import { setTimeout as sleep } from "node:timers/promises";
import { type PipelineFigures, pipelineFigures } from "../figures/pipeline-figures.js";
import { type ProcessCpu, processName, processTree } from "../figures/process-tree.js";
import { Flood } from "../load/flood.js";
import { RandomPrompts } from "../load/prompts.js";
import type { BenchTarget } from "./bench-target.js";

export interface FloodLoad {
  readonly streams: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Seconds before measuring begins. */
  readonly warmUp: number;
  readonly seconds: number;
}

export interface ProcessShare {
  readonly name: string;
  /** Cores in use, 0.5 = half of one. */
  readonly cores: number;
  readonly microsecondsPerToken: number;
}

export interface FloodFigures {
  readonly streams: number;
  readonly seconds: number;
  /** Generated, by the coordinator's count. */
  readonly tokensPerSecond: number;
  /** Of answers that ended within the measured time, by the client's count. */
  readonly clientTokensPerSecond: number;
  /** More than 1 where tokens waited to be written together. */
  readonly tokensPerChunk: number;
  /** The cluster's processes on this machine; null where the system does not tell. */
  readonly processes: readonly ProcessShare[] | null;
  readonly inside: PipelineFigures | null;
}

/** Streams that restart as they end, measured for `seconds` after a warm-up. */
export async function measureFlood(target: BenchTarget, load: FloodLoad): Promise<FloodFigures> {
  const { streams, promptTokens, maxTokens, warmUp, seconds } = load;
  const random = new RandomPrompts({ vocabSize: target.status.model.vocabSize, seed: 1 });
  const flood = new Flood({ ...target.connection, prompts: random.prompts(streams, promptTokens), maxTokens });
  const { signal } = target.connection;
  const elapse = (ms: number) => Promise.race([flood.done, sleep(ms, undefined, { signal })]);
  try {
    await elapse(warmUp * 1000);
    const before = await observe(target, flood);
    await elapse(seconds * 1000);
    return compare(before, await observe(target, flood), streams);
  } finally {
    flood.stop();
    await flood.done.catch(() => {});
  }
}

async function observe(target: BenchTarget, flood: Flood) {
  const inside = await target.scrape();
  return { at: performance.now(), inside, processes: processTree([process.pid]), count: flood.count };
}

type Observation = Awaited<ReturnType<typeof observe>>;

function compare(before: Observation, after: Observation, streams: number): FloodFigures {
  const seconds = (after.at - before.at) / 1000;
  const generated = ({ inside }: Observation) =>
    inside?.coordinators.sum("rhone_tokens_total", { kind: "generated" }) ?? 0;
  const clientTokensPerSecond = (after.count.tokens - before.count.tokens) / seconds;
  const tokensPerSecond =
    after.inside === null ? clientTokensPerSecond : (generated(after) - generated(before)) / seconds;
  return {
    streams,
    seconds,
    tokensPerSecond,
    clientTokensPerSecond,
    tokensPerChunk: (tokensPerSecond * seconds) / (after.count.chunks - before.count.chunks),
    processes: sharesOf(before.processes, after.processes, { seconds, tokens: tokensPerSecond * seconds }),
    inside: pipelineFigures(before.inside, after.inside),
  };
}

function sharesOf(
  before: readonly ProcessCpu[] | null,
  after: readonly ProcessCpu[] | null,
  { seconds, tokens }: { readonly seconds: number; readonly tokens: number },
): readonly ProcessShare[] | null {
  if (before === null || after === null) return null;
  const earlier = new Map(before.map(({ pid, cpuSeconds }) => [pid, cpuSeconds]));
  return after.flatMap(({ pid, cpuSeconds }) => {
    const spent = cpuSeconds - (earlier.get(pid) ?? cpuSeconds);
    return spent > 0
      ? [{ name: processName(pid), cores: spent / seconds, microsecondsPerToken: (spent * 1e6) / tokens }]
      : [];
  });
}
