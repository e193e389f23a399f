import { randomInt } from "node:crypto";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "../figures/pipeline-figures.js";
import type { ClusterSamples } from "../figures/prometheus-samples.js";
import { gapsEndingIn } from "../figures/steady-window.js";
import { DecodingStreams } from "../load/decoding-streams.js";
import { type Prompts, RandomPrompts } from "../load/prompts.js";
import { ttftMsOf } from "../load/token-stream.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { count, type ValuesOf } from "../options.js";
import { insideTables, percentileCells, percentileHeading } from "../report/tables.js";
import { defineScenario, type ScenarioResult } from "../scenario.js";

/** A span of time in which the streams decoded. */
export interface MixedPhase {
  readonly itlMs: Percentiles;
  readonly decodeTokensPerSecond: number;
  readonly seconds: number;
  readonly inside: PipelineFigures | null;
}

export interface MixedFigures {
  /** The streams alone. */
  readonly quiet: MixedPhase;
  /** While long prompts arrive, one after another. */
  readonly busy: MixedPhase;
  readonly longTtftMs: readonly number[];
  readonly longPrefillTokensPerSecond: number;
  /** busy / quiet. */
  readonly itlP99Ratio: number;
}

interface Mark {
  readonly at: number;
  readonly samples: ClusterSamples | null;
}

const options = {
  streams: count("streams that decode throughout", 4),
  promptTokens: count("prompt tokens of each stream", 64),
  quietTokens: count("tokens that each stream generates before the long prompts arrive", 64),
  longPrompts: count("long prompts, one after another", 3),
  longPromptTokens: count("tokens of each long prompt", 2000),
};

/** What long prompts do to streams that decode. */
export const mixed = defineScenario({
  name: "mixed",
  description: "gaps between tokens of decoding streams, alone and while long prompts arrive",
  examples: [
    { flags: "", about: "the running cluster" },
    {
      flags: "--streams 16 --long-prompt-tokens 8000 --spawn --model FILE",
      about: "longer prompts, a cluster of its own",
    },
  ],
  options,
  run: (context, values) => context.withCluster((target) => runMixed(target, values)),
});

async function runMixed(target: BenchTarget, values: ValuesOf<typeof options>): Promise<ScenarioResult> {
  const { streams, promptTokens, quietTokens } = values;
  const { vocabSize, contextLength } = target.status.model;
  const prompts = new RandomPrompts({ vocabSize, seed: randomInt(2 ** 32) });
  await target.warmUp(prompts, streams);

  const decoding = new DecodingStreams({
    ...target.connection,
    prompts: prompts.prompts(streams, promptTokens),
    maxTokens: contextLength - promptTokens, // they are left after the last long prompt
    cache: false,
  });
  const mark = async (): Promise<Mark> => ({ at: performance.now(), samples: await target.scrape() });
  try {
    await decoding.allReach(2); // the gap before a stream's second token may hold the others' prefill
    const begun = await mark();
    await decoding.allReach(2 + quietTokens);
    const middle = await mark();
    const longTtftMs = await decoding.during(sendLongPrompts(target, prompts, values));
    const end = await mark();
    const quiet = phase(decoding, begun, middle);
    const busy = phase(decoding, middle, end);
    const total = longTtftMs.reduce((sum, ms) => sum + ms, 0);
    const longPrefillTokensPerSecond = (1000 * values.longPromptTokens * longTtftMs.length) / total;
    const itlP99Ratio = busy.itlMs.p99 / quiet.itlMs.p99;
    const figures: MixedFigures = { quiet, busy, longTtftMs, longPrefillTokensPerSecond, itlP99Ratio };
    return { figures, report: reportOf(figures) };
  } finally {
    decoding.leave();
  }
}

/** The TTFT of each. */
async function sendLongPrompts(
  target: BenchTarget,
  prompts: Prompts,
  { longPrompts, longPromptTokens }: ValuesOf<typeof options>,
): Promise<readonly number[]> {
  const ttftMs: number[] = [];
  for (let i = 0; i < longPrompts; i++) {
    const prompt = prompts.prompt(longPromptTokens);
    ttftMs.push(ttftMsOf(await target.runOne({ prompt, maxTokens: 1, cache: false })));
  }
  return ttftMs;
}

function phase(decoding: DecodingStreams, from: Mark, to: Mark): MixedPhase {
  const gaps = decoding.arrivals.flatMap((arrivals) => gapsEndingIn(arrivals, { from: from.at, to: to.at }));
  const seconds = (to.at - from.at) / 1000;
  return {
    itlMs: percentilesOf(gaps),
    decodeTokensPerSecond: gaps.length / seconds,
    seconds,
    inside: pipelineFigures(from.samples, to.samples),
  };
}

function reportOf({ quiet, busy, longTtftMs, ...figures }: MixedFigures): ScenarioResult["report"] {
  const row = (name: string, { itlMs, decodeTokensPerSecond, seconds }: MixedPhase) => {
    return [name, ...percentileCells(itlMs), decodeTokensPerSecond.toFixed(1), seconds.toFixed(1)];
  };
  const [alone, beside] = ["streams alone", "with long prompts"];
  const ttft = longTtftMs.map((ms) => ms.toFixed(0)).join(", ");
  return [
    {
      heading: ["", ...percentileHeading("ITL"), "DECODE t/s", "SECONDS"],
      rows: [row(alone, quiet), row(beside, busy)],
    },
    ...insideTables("", [
      [alone, quiet.inside],
      [beside, busy.inside],
    ]),
    `long prompts: TTFT ${ttft} ms, ${figures.longPrefillTokensPerSecond.toFixed(1)} prompt tokens/s`,
    `ITL p99 with long prompts / alone: ${figures.itlP99Ratio.toFixed(2)}`,
  ];
}
