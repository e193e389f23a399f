import { randomInt } from "node:crypto";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { positive, positiveList } from "../../option-parsers.js";
import type { BenchTarget } from "../bench-target.js";
import type { ClusterSamples } from "../figures/cluster-samples.js";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { RandomPrompts } from "../load/random-prompts.js";
import { formatWindow } from "../report/format-window.js";
import type { Scenario, ScenarioResult } from "../scenario.js";
import { warmUp } from "../warm-up.js";

interface WindowOptions {
  readonly multiples: readonly number[];
  readonly maxTokens: number;
}

export interface WindowPoint {
  /** Of the window. */
  readonly multiple: number;
  /** Where decoding begins: the prompt's length. */
  readonly position: number;
  readonly msPerToken: Percentiles;
  readonly prefillTokensPerSecond: number;
  /** Resident bytes of each worker, and K/V pages in use, while it decodes; null where they can't be seen. */
  readonly workerBytes: readonly number[] | null;
  readonly usedPages: number | null;
}

export interface WindowFigures {
  readonly slidingWindow: number;
  readonly points: readonly WindowPoint[];
}

/** Whether cost per token and memory stop growing at the window. */
export const slidingWindow: Scenario<WindowOptions> = {
  name: "window",
  description: "one sequence far past the sliding window: time per token, pages and memory at multiples of it",
  configure: (command: Command) =>
    command
      .option("--multiples <list>", "of the window, where decoding is measured", positiveList, [1, 2, 4])
      .option("--max-tokens <n>", "generated at each of them", positive, 32),
  run: (context, options) => context.withCluster((target) => runWindow(target, options)),
};

async function runWindow(target: BenchTarget, options: WindowOptions): Promise<ScenarioResult> {
  const { slidingWindow: width, vocabSize } = target.status.model;
  const { multiples, maxTokens } = options;
  if (width === null) {
    throw new RhoneError("INVALID_CONFIG", "The cluster serves without a sliding window; set --sliding-window.");
  }
  checkRoom(target, width * Math.max(...multiples) + maxTokens);
  const prompts = new RandomPrompts({ vocabSize, seed: randomInt(2 ** 32) });
  await warmUp(target, prompts);
  const points: WindowPoint[] = [];
  for (const multiple of multiples) {
    const prompt = prompts.prompt(multiple * width);
    points.push({ multiple, ...(await measureAt(target, prompt, maxTokens)) });
  }
  const figures: WindowFigures = { slidingWindow: width, points };
  return { figures, text: formatWindow(figures) };
}

function checkRoom({ status }: BenchTarget, positions: number): void {
  const { contextLength } = status.model;
  if (positions <= contextLength) return;
  throw new RhoneError(
    "INVALID_CONFIG",
    `${positions} positions are to be measured, and the cluster's context holds ${contextLength}: set --context, --sliding-window or --multiples.`,
  );
}

async function measureAt(
  target: BenchTarget,
  prompt: readonly number[],
  maxTokens: number,
): Promise<Omit<WindowPoint, "multiple">> {
  let samples: Promise<ClusterSamples | null> = Promise.resolve(null);
  const onAllDecoding = (): void => {
    samples = target.scrape();
  };
  const [stream] = await target.run({ prompts: [prompt], maxTokens, cache: false, onAllDecoding });
  const arrivals = stream?.arrivals ?? [];
  const gaps = arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? at));
  const seen = await samples;
  const firstAfterMs = (arrivals[0] ?? Number.NaN) - (stream?.sentAt ?? Number.NaN);
  return {
    position: prompt.length,
    msPerToken: percentilesOf(gaps),
    prefillTokensPerSecond: (1000 * prompt.length) / firstAfterMs,
    workerBytes: seen?.workers.map((worker) => worker.sum("process_resident_memory_bytes")) ?? null,
    usedPages: seen?.coordinators.sum("rhone_kv_pages", { state: "used" }) ?? null,
  };
}
