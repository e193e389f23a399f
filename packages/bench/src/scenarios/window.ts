import { randomInt } from "node:crypto";
import { RhoneError } from "@rhone/common";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import type { ClusterSamples } from "../figures/prometheus-samples.js";
import { gapsOf } from "../figures/steady-window.js";
import { RandomPrompts } from "../load/prompts.js";
import { ttftMsOf } from "../load/token-stream.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { count, counts, type ValuesOf } from "../options.js";
import { percentileCells, percentileHeading, type Table } from "../report/tables.js";
import { defineScenario, type ScenarioResult } from "../scenario.js";

export interface WindowPoint {
  /** Of the window. */
  readonly multiple: number;
  /** Where decoding begins: the prompt's length. */
  readonly position: number;
  readonly msPerToken: Percentiles;
  readonly prefillTokensPerSecond: number;
  /** Resident bytes of each worker while it decodes; null where the operations servers are out of reach. */
  readonly workerBytes: readonly number[] | null;
  /** K/V pages in use while it decodes; null likewise. */
  readonly usedPages: number | null;
}

export interface WindowFigures {
  readonly slidingWindow: number;
  readonly points: readonly WindowPoint[];
}

const options = {
  multiples: counts("multiples of the window at which decoding is measured", [1, 2, 4]),
  maxTokens: count("tokens generated at each of them", 32),
};

/** Whether time per token and memory stop growing at the window. */
export const slidingWindow = defineScenario({
  name: "window",
  description: "one sequence far past the sliding window: time per token, pages and memory",
  examples: [
    { flags: "", about: "the running cluster, at 1, 2 and 4 windows" },
    {
      flags: "--spawn --model FILE --sliding-window 512 --multiples 1,8",
      about: "a smaller window, which is sooner past",
    },
  ],
  options,
  run: (context, values) => context.withCluster((target) => runWindow(target, values)),
});

async function runWindow(target: BenchTarget, values: ValuesOf<typeof options>): Promise<ScenarioResult> {
  const { slidingWindow: width, vocabSize } = target.status.model;
  const { multiples, maxTokens } = values;
  if (width === null) {
    throw new RhoneError("INVALID_CONFIG", "The cluster serves without a sliding window; set one: --sliding-window.");
  }
  checkContext(target, width * Math.max(...multiples) + maxTokens);
  const prompts = new RandomPrompts({ vocabSize, seed: randomInt(2 ** 32) });
  await target.warmUp(prompts);
  const points: WindowPoint[] = [];
  for (const multiple of multiples) {
    const prompt = prompts.prompt(multiple * width);
    points.push({ multiple, ...(await measureAt(target, prompt, maxTokens)) });
  }
  const figures: WindowFigures = { slidingWindow: width, points };
  return { figures, report: [`sliding window ${width}`, tableOf(points)] };
}

function checkContext({ status }: BenchTarget, positions: number): void {
  const { contextLength } = status.model;
  if (positions <= contextLength) return;
  throw new RhoneError(
    "INVALID_CONFIG",
    `The measurement needs ${positions} positions; the cluster's context has ${contextLength}. ` +
      "Raise --context, or lower --sliding-window or --multiples.",
  );
}

async function measureAt(
  target: BenchTarget,
  prompt: readonly number[],
  maxTokens: number,
): Promise<Omit<WindowPoint, "multiple">> {
  let samples: Promise<ClusterSamples | null> = Promise.resolve(null);
  const onToken = (tokens: number): void => {
    if (tokens > 1) return;
    samples = target.scrape();
    samples.catch(() => {}); // a failed stream ends the measurement before it is awaited
  };
  const stream = await target.runOne({ prompt, maxTokens, cache: false, onToken });
  const seen = await samples;
  return {
    position: prompt.length,
    msPerToken: percentilesOf(gapsOf(stream.arrivals)),
    prefillTokensPerSecond: (1000 * prompt.length) / ttftMsOf(stream),
    workerBytes: seen?.workers.map((worker) => worker.sum("process_resident_memory_bytes")) ?? null,
    usedPages: seen?.coordinators.sum("rhone_kv_pages", { state: "used" }) ?? null,
  };
}

const tableOf = (points: readonly WindowPoint[]): Table => ({
  heading: ["WINDOWS", "POSITION", ...percentileHeading("TOKEN"), "PREFILL t/s", "PAGES", "WORKERS' MEMORY MB"],
  rows: points.map(({ multiple, position, msPerToken, prefillTokensPerSecond, usedPages, workerBytes }) => [
    `${multiple}x`,
    String(position),
    ...percentileCells(msPerToken),
    prefillTokensPerSecond.toFixed(1),
    String(usedPages ?? "?"),
    workerBytes?.map((bytes) => (bytes / 1e6).toFixed(0)).join(" ") ?? "?",
  ]),
});
