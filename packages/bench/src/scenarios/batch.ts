import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "../figures/pipeline-figures.js";
import { gapsOf } from "../figures/steady-window.js";
import { runBatch } from "../load/batch-load.js";
import { RandomPrompts } from "../load/prompts.js";
import { RepeatedStreams, type RepeatedStreamsOptions } from "../load/repeated-streams.js";
import { type StreamRecord, ttftMsOf } from "../load/token-stream.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { count, type ValuesOf } from "../options.js";
import { insideTables, percentileCells, percentileHeading } from "../report/tables.js";
import { type BenchContext, defineScenario, type ScenarioResult } from "../scenario.js";

export interface BatchBenchPhase {
  readonly requests: number;
  readonly ttftMs: Percentiles;
  readonly itlMs: Percentiles;
  readonly inside: PipelineFigures | null;
}

export interface BatchBenchFigures {
  /** The interactive streams alone. */
  readonly idle: BatchBenchPhase;
  /** The same streams from the batch's upload to its end. */
  readonly busy: BatchBenchPhase;
  readonly lines: number;
  /** From the upload to the end, result files included. */
  readonly batchSeconds: number;
  readonly linesPerSecond: number;
  /** busy / idle. */
  readonly ttftP95Ratio: number;
}

const options = {
  lines: count("lines of the batch", 10_000),
  lineTokens: count("tokens that each line generates", 16),
  streams: count("interactive clients", 2),
  promptTokens: count("prompt tokens of each request, interactive and batch", 32),
  maxTokens: count("tokens that each interactive request generates", 16),
  pause: count("mean ms between an answer and a client's next request", 100, 0),
  idleSeconds: count("seconds to measure the clients alone", 20),
};

/** What a batch does to interactive clients. */
export const batch = defineScenario({
  name: "batch",
  description: "TTFT of interactive clients, alone and while a batch runs; lines per second of the batch",
  examples: [
    { flags: "", about: "the running cluster, with a batch of 10,000 lines" },
    { flags: "--lines 1000 --streams 8 --out batch.json", about: "a shorter batch beside more clients" },
  ],
  options,
  run: (context, values) => context.withCluster((target) => runBatchBench(context, target, values)),
});

async function runBatchBench(
  { signal, note }: BenchContext,
  target: BenchTarget,
  values: ValuesOf<typeof options>,
): Promise<ScenarioResult> {
  const { lines, streams, idleSeconds } = values;
  const { connection } = target;
  const prompts = new RandomPrompts({ vocabSize: target.status.model.vocabSize, seed: randomInt(2 ** 32) });
  await target.warmUp(prompts, streams);
  const load = { ...values, pauseMs: values.pause, connection, prompts };
  note(`interactive clients alone: ${idleSeconds} s`);
  const idle = await phaseOf(target, load, () => sleep(1000 * idleSeconds, undefined, { signal }));
  note(`the same beside a batch of ${lines} lines`);
  const from = performance.now();
  const busy = await phaseOf(target, load, () => runBatch(load));
  const batchSeconds = (performance.now() - from) / 1000;
  const ratios = { linesPerSecond: lines / batchSeconds, ttftP95Ratio: busy.ttftMs.p95 / idle.ttftMs.p95 };
  const figures: BatchBenchFigures = { idle, busy, lines, batchSeconds, ...ratios };
  return { figures, report: reportOf(figures) };
}

/** What the clients see while `body` runs. */
async function phaseOf(
  target: BenchTarget,
  load: RepeatedStreamsOptions,
  body: () => Promise<unknown>,
): Promise<BatchBenchPhase> {
  const before = await target.scrape();
  const streams = new RepeatedStreams(load);
  await body().finally(() => streams.stop());
  const records: readonly StreamRecord[] = await streams.stop();
  return {
    requests: records.length,
    ttftMs: percentilesOf(records.map(ttftMsOf)),
    itlMs: percentilesOf(records.flatMap(({ arrivals }) => gapsOf(arrivals))),
    inside: pipelineFigures(before, await target.scrape()),
  };
}

function reportOf({ idle, busy, ...figures }: BatchBenchFigures): ScenarioResult["report"] {
  const row = (name: string, { requests, ttftMs, itlMs }: BatchBenchPhase) => {
    return [name, String(requests), ...percentileCells(ttftMs), ...percentileCells(itlMs)];
  };
  const [alone, beside] = ["streams alone", "with a batch"];
  const rates = `${figures.batchSeconds.toFixed(1)} s, ${figures.linesPerSecond.toFixed(1)} lines/s`;
  return [
    {
      heading: ["", "REQUESTS", ...percentileHeading("TTFT"), ...percentileHeading("ITL")],
      rows: [row(alone, idle), row(beside, busy)],
    },
    ...insideTables("", [
      [alone, idle.inside],
      [beside, busy.inside],
    ]),
    `batch: ${figures.lines} lines in ${rates}`,
    `TTFT p95 with a batch / alone: ${figures.ttftP95Ratio.toFixed(2)}`,
  ];
}
