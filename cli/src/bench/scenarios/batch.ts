import { randomInt } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { BatchClient } from "../../batch/batch-client.js";
import { describeCounts } from "../../batch/format-batch.js";
import { positive, wholeNumber } from "../../option-parsers.js";
import type { BenchTarget } from "../bench-target.js";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "../figures/pipeline-figures.js";
import { type Prompts, RandomPrompts } from "../load/random-prompts.js";
import { RepeatedStreams } from "../load/repeated-streams.js";
import type { StreamRecord } from "../load/token-stream.js";
import { formatBatchBench } from "../report/format-batch-bench.js";
import type { BenchContext, Scenario, ScenarioResult } from "../scenario.js";
import { warmUp } from "../warm-up.js";

interface BatchBenchOptions {
  readonly lines: number;
  readonly lineTokens: number;
  readonly streams: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly pause: number;
  readonly idleSeconds: number;
}

export interface BatchBenchPhase {
  readonly requests: number;
  readonly ttftMs: Percentiles;
  readonly itlMs: Percentiles;
  readonly inside: PipelineFigures | null;
}

export interface BatchBenchFigures {
  /** The interactive streams by themselves. */
  readonly idle: BatchBenchPhase;
  /** The same streams from the upload of the batch to its end. */
  readonly busy: BatchBenchPhase;
  readonly lines: number;
  /** From the upload to the end, result files and all. */
  readonly batchSeconds: number;
  readonly linesPerSecond: number;
  /** busy / idle. */
  readonly ttftP95Ratio: number;
}

/** What a batch does to those who wait for answers. */
export const batch: Scenario<BatchBenchOptions> = {
  name: "batch",
  description: "first tokens of interactive streams, alone and while a batch runs; lines per second of the batch",
  configure: (command: Command) =>
    command
      .option("--lines <n>", "requests of the batch", positive, 10_000)
      .option("--line-tokens <n>", "that each of them generates", positive, 16)
      .option("--streams <n>", "interactive ones at a time, again and again", positive, 2)
      .option("--prompt-tokens <n>", "of each request, interactive and batch", positive, 32)
      .option("--max-tokens <n>", "that each interactive stream generates", positive, 16)
      .option("--pause <ms>", "between two streams of a client, on average", wholeNumber({ least: 0 }), 100)
      .option("--idle-seconds <n>", "how long the streams are measured alone", positive, 20),
  run: (context, options) => context.withCluster((target) => runBatchBench(context, target, options)),
};

async function runBatchBench(
  context: BenchContext,
  target: BenchTarget,
  options: BatchBenchOptions,
): Promise<ScenarioResult> {
  const { lines, streams, idleSeconds } = options;
  const { signal } = context;
  const prompts = new RandomPrompts({ vocabSize: target.status.model.vocabSize, seed: randomInt(2 ** 32) });
  await warmUp(target, prompts, streams);
  const load = { ...options, pauseMs: options.pause, target, prompts };
  context.note(`${idleSeconds} s of interactive streams alone`);
  const idle = await phaseOf(target, () => withStreams(load, () => sleep(1000 * idleSeconds, undefined, { signal })));
  context.note(`a batch of ${lines} lines beside them`);
  const from = performance.now();
  const busy = await phaseOf(target, () => withStreams(load, () => runBatch(target, { options, prompts })));
  const batchSeconds = (performance.now() - from) / 1000;
  const figures: BatchBenchFigures = {
    idle,
    busy,
    lines,
    batchSeconds,
    linesPerSecond: lines / batchSeconds,
    ttftP95Ratio: busy.ttftMs.p95 / idle.ttftMs.p95,
  };
  return { figures, text: formatBatchBench(figures) };
}

async function withStreams(
  load: ConstructorParameters<typeof RepeatedStreams>[0],
  body: () => Promise<unknown>,
): Promise<readonly StreamRecord[]> {
  const streams = new RepeatedStreams(load);
  await body().finally(() => streams.stop());
  return streams.stop();
}

async function phaseOf(target: BenchTarget, body: () => Promise<readonly StreamRecord[]>): Promise<BatchBenchPhase> {
  const before = await target.scrape();
  const records = await body();
  const inside = pipelineFigures(before, await target.scrape());
  const gaps = records.flatMap(({ arrivals }) => arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? at)));
  return {
    requests: records.length,
    ttftMs: percentilesOf(records.map(({ sentAt, arrivals }) => (arrivals[0] ?? Number.NaN) - sentAt)),
    itlMs: percentilesOf(gaps),
    inside,
  };
}

/** From upload to end. Throws MEASUREMENT_VOID when a line was not answered. */
async function runBatch(
  { connection: { url, model, apiKey, signal } }: BenchTarget,
  { options, prompts }: { readonly options: BatchBenchOptions; readonly prompts: Prompts },
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rhone-bench-"));
  try {
    const path = join(folder, "batch.jsonl");
    await writeFile(path, inputOf(options, prompts, model));
    const client = new BatchClient({ url, apiKey, signal });
    const fileId = await client.upload(path);
    const { id } = await client.create({ fileId, endpoint: "/v1/completions", window: "24h" });
    for await (const seen of client.watch(id)) {
      const isWhole = seen.status === "completed" && seen.request_counts.completed === options.lines;
      if (isWhole || ["validating", "in_progress", "finalizing"].includes(seen.status)) continue;
      throw new RhoneError("MEASUREMENT_VOID", `The batch is ${seen.status}: ${describeCounts(seen)}.`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function inputOf({ lines, lineTokens, promptTokens }: BatchBenchOptions, prompts: Prompts, model: string): string {
  const line = (_: unknown, index: number) => {
    const prompt = prompts.prompt(promptTokens);
    const body = { model, prompt, max_tokens: lineTokens, temperature: 0, ignore_eos: true, cache_prompt: false };
    return `${JSON.stringify({ custom_id: `line-${index}`, method: "POST", url: "/v1/completions", body })}\n`;
  };
  return Array.from({ length: lines }, line).join("");
}
