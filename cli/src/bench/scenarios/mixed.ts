import { randomInt } from "node:crypto";
import type { Command } from "commander";
import { positive } from "../../option-parsers.js";
import type { BenchTarget } from "../bench-target.js";
import type { ClusterSamples } from "../figures/cluster-samples.js";
import { type Percentiles, percentilesOf } from "../figures/percentiles.js";
import { type PipelineFigures, pipelineFigures } from "../figures/pipeline-figures.js";
import { gapsEndingIn } from "../figures/steady-window.js";
import { DecodingStreams } from "../load/decoding-streams.js";
import { RandomPrompts } from "../load/random-prompts.js";
import { formatMixed } from "../report/format-mixed.js";
import type { Scenario, ScenarioResult } from "../scenario.js";
import { warmUp } from "../warm-up.js";

interface MixedOptions {
  readonly streams: number;
  readonly promptTokens: number;
  readonly quietTokens: number;
  readonly longPrompts: number;
  readonly longPromptTokens: number;
}

/** A span of time in which the streams decoded. */
export interface MixedPhase {
  readonly itlMs: Percentiles;
  readonly decodeTokensPerSecond: number;
  readonly seconds: number;
  readonly inside: PipelineFigures | null;
}

export interface MixedFigures {
  /** The streams by themselves. */
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

/** What long prompts do to those who are being served. */
export const mixed: Scenario<MixedOptions> = {
  name: "mixed",
  description: "gaps between tokens of decoding streams, without and while long prompts arrive",
  configure: (command: Command) =>
    command
      .option("--streams <n>", "that decode", positive, 4)
      .option("--prompt-tokens <n>", "of each stream", positive, 64)
      .option("--quiet-tokens <n>", "that each stream generates before the long prompts come", positive, 64)
      .option("--long-prompts <n>", "that arrive one after another", positive, 3)
      .option("--long-prompt-tokens <n>", "of each of them", positive, 2000),
  run: (context, options) => context.withCluster((target) => runMixed(target, options)),
};

async function runMixed(target: BenchTarget, options: MixedOptions): Promise<ScenarioResult> {
  const { streams, promptTokens, quietTokens } = options;
  const { vocabSize, contextLength } = target.status.model;
  const prompts = new RandomPrompts({ vocabSize, seed: randomInt(2 ** 32) });
  await warmUp(target, prompts, streams);

  const decoding = DecodingStreams.start({
    ...target.connection,
    prompts: prompts.prompts(streams, promptTokens),
    maxTokens: contextLength - promptTokens, // they are left when the last long prompt is through
    cache: false,
  });
  const mark = async (): Promise<Mark> => ({ at: performance.now(), samples: await target.scrape() });
  try {
    await decoding.allReach(2); // the gap before a stream's second token may hold the others' prefill
    const begun = await mark();
    await decoding.allReach(2 + quietTokens);
    const middle = await mark();
    const longTtftMs = await decoding.during(sendLongPrompts(target, prompts, options));
    const end = await mark();
    const quiet = phase(decoding, begun, middle);
    const busy = phase(decoding, middle, end);
    const total = longTtftMs.reduce((sum, ms) => sum + ms, 0);
    const figures: MixedFigures = {
      quiet,
      busy,
      longTtftMs,
      longPrefillTokensPerSecond: (1000 * options.longPromptTokens * longTtftMs.length) / total,
      itlP99Ratio: busy.itlMs.p99 / quiet.itlMs.p99,
    };
    return { figures, text: formatMixed(figures) };
  } finally {
    decoding.leave();
  }
}

/** The time to each one's first token. */
async function sendLongPrompts(
  target: BenchTarget,
  prompts: RandomPrompts,
  { longPrompts, longPromptTokens }: MixedOptions,
): Promise<readonly number[]> {
  const ttftMs: number[] = [];
  for (let i = 0; i < longPrompts; i++) {
    const prompt = prompts.prompt(longPromptTokens);
    const [stream] = await target.run({ prompts: [prompt], maxTokens: 1, cache: false });
    ttftMs.push((stream?.arrivals[0] ?? Number.NaN) - (stream?.sentAt ?? Number.NaN));
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
