import { randomInt } from "node:crypto";
import { type ClusterStatus, RhoneError } from "@rhone/common";
import { BASELINE_LAYOUTS, type BaselineLayout, BaselineProcess } from "../baseline/baseline-process.js";
import type { BaselineRequest } from "../baseline/measure-baseline.js";
import { otherCores } from "../figures/cpu-clock.js";
import { RandomPrompts } from "../load/prompts.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { measurePoint } from "../measure/measure-point.js";
import { count, counts, flag, type ValuesOf } from "../options.js";
import { type BenchContext, defineScenario, type ScenarioResult } from "../scenario.js";
import { sweepTables } from "./sweep-tables.js";
import { describeTurn, type PeerFigures, type SweepPoint, summarizeTurns, type Turn } from "./sweep-turn.js";

const options = {
  concurrency: counts("streams at once, such as 1,4,16", [1, 2, 4, 8, 16, 32, 64], "c"),
  promptTokens: count("prompt tokens of each stream", 64),
  maxTokens: count("tokens that each stream generates", 64),
  repeat: count("measurements of each point, of which the median counts", 1),
  cache: flag("let the prefix cache serve prompts"),
  baseline: flag("measure llama.cpp in turn with the cluster: same file, threads and counts"),
  baselineKv: {
    kind: "choice",
    about: "llama.cpp's K/V buffer: unified for all sequences, split, or the faster of the two",
    choices: BASELINE_LAYOUTS,
    initial: "faster",
  },
} as const;

type Values = ValuesOf<typeof options>;

/**
 * Tokens per second and latencies by the number of streams; on request beside llama.cpp's own engine on the same cores.
 */
export const sweep = defineScenario({
  name: "sweep",
  description: "equal streams, more and more of them at once",
  examples: [
    { flags: "", about: "the running cluster" },
    { flags: "--spawn --model FILE --workers 2 --threads 1 --baseline --out sweep.json", about: "beside llama.cpp" },
  ],
  options,
  run: (context, values) => context.withCluster((target) => runSweep(context, target, values)),
});

async function runSweep(context: BenchContext, target: BenchTarget, values: Values): Promise<ScenarioResult> {
  const { model } = target.status;
  const { signal, ggmlDir } = context;
  const threads = values.baseline ? cpuThreads(target.status) : 0;
  const baseline = values.baseline ? BaselineProcess.start({ modelPath: model.path, ggmlDir }, signal) : null;
  const seed = randomInt(2 ** 32);
  const prompts = new RandomPrompts({ vocabSize: model.vocabSize, seed });
  const points: SweepPoint[] = [];
  try {
    for (const concurrency of values.concurrency) {
      const turns: Turn[] = [];
      while (turns.length < values.repeat) {
        const point = await measurePoint(target, { ...values, concurrency, prompts });
        const request = { ...lengthsOf(values), sequences: concurrency, threads, seed, layout: values.baselineKv };
        const peer = baseline === null ? null : await measurePeer(target, baseline, request);
        context.note(describeTurn({ point, peer }));
        turns.push({ point, peer });
      }
      points.push(summarizeTurns(turns));
    }
  } finally {
    await baseline?.close();
  }
  return { figures: { baselineThreads: baseline === null ? null : threads, points }, report: sweepTables(points) };
}

async function measurePeer(
  { cpuClock }: BenchTarget,
  baseline: BaselineProcess,
  { layout, ...request }: Omit<BaselineRequest, "kvUnified"> & { readonly layout: BaselineLayout },
): Promise<PeerFigures> {
  const before = cpuClock?.read() ?? null;
  const figures = await baseline.measure(request, layout);
  return { ...figures, otherCores: otherCores(before, cpuClock?.read() ?? null) };
}

const lengthsOf = ({ promptTokens, maxTokens }: Values) => ({ promptTokens, maxTokens });

/** Of all stages together. Throws INVALID_CONFIG when a stage computes elsewhere: the baseline has the CPU alone. */
function cpuThreads({ workers }: ClusterStatus): number {
  const stages = workers.filter(({ layers }) => layers !== null);
  const other = stages.find(({ device }) => device !== "CPU");
  if (other === undefined) return stages.reduce((sum, worker) => sum + worker.threads, 0);
  throw new RhoneError(
    "INVALID_CONFIG",
    `--baseline compares CPUs; worker ${other.worker} computes on ${other.device}.`,
  );
}
