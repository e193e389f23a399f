import { randomInt } from "node:crypto";
import { medianBy } from "../figures/percentiles.js";
import { RandomPrompts } from "../load/prompts.js";
import { ttftMsOf } from "../load/token-stream.js";
import type { BenchTarget } from "../measure/bench-target.js";
import { count, type ValuesOf } from "../options.js";
import type { Table } from "../report/tables.js";
import { defineScenario, type ScenarioResult } from "../scenario.js";

export interface PrefixRequest {
  readonly ttftMs: number;
  /** Prompt tokens that the cluster took from its prefix cache, by its own account. */
  readonly cachedTokens: number;
}

export interface PrefixFigures {
  readonly promptTokens: number;
  /** The first request with this prefix. */
  readonly first: PrefixRequest;
  readonly later: readonly PrefixRequest[];
  /** Median TTFT of the later requests over the TTFT of the first. */
  readonly ttftRatio: number;
}

const options = {
  prefixTokens: count("tokens that all prompts share at the start", 1000),
  tailTokens: count("tokens after them that differ from prompt to prompt", 32),
  maxTokens: count("tokens that each request generates", 8),
  requests: count("requests after the first", 4),
};

/** What the prefix cache saves. */
export const prefix = defineScenario({
  name: "prefix",
  description: "requests that share a prefix, one after another: TTFT of the first and of the later ones",
  examples: [
    { flags: "", about: "the running cluster" },
    { flags: "--prefix-tokens 4000 --requests 8", about: "a longer prefix, more requests" },
  ],
  options,
  run: (context, values) => context.withCluster((target) => runPrefix(target, values)),
});

async function runPrefix(target: BenchTarget, values: ValuesOf<typeof options>): Promise<ScenarioResult> {
  const { prefixTokens, tailTokens, maxTokens, requests } = values;
  const prompts = new RandomPrompts({ vocabSize: target.status.model.vocabSize, seed: randomInt(2 ** 32) });
  await target.warmUp(prompts);

  const shared = prompts.prompt(prefixTokens);
  const ask = async (): Promise<PrefixRequest> => {
    const prompt = [...shared, ...prompts.prompt(tailTokens)];
    const stream = await target.runOne({ prompt, maxTokens, cache: true });
    return { ttftMs: ttftMsOf(stream), cachedTokens: stream.cachedTokens };
  };
  const first = await ask();
  const later: PrefixRequest[] = [];
  for (let i = 0; i < requests; i++) later.push(await ask());
  const ttftRatio = medianBy(later, ({ ttftMs }) => ttftMs).ttftMs / first.ttftMs;
  const figures: PrefixFigures = { promptTokens: prefixTokens + tailTokens, first, later, ttftRatio };
  return { figures, report: [tableOf(figures), `TTFT later / first: ${ttftRatio.toFixed(3)}`] };
}

const tableOf = ({ promptTokens, first, later }: PrefixFigures): Table => ({
  heading: ["REQUEST", "TTFT ms", "CACHED TOKENS"],
  rows: [first, ...later].map(({ ttftMs, cachedTokens }, index) => [
    String(index + 1),
    ttftMs.toFixed(1),
    `${cachedTokens} of ${promptTokens}`,
  ]),
});
