import { expect } from "vitest";
import type { RunningCluster } from "../cluster/start-cluster.js";
import type { OracleCase } from "./oracle.js";

interface Completion {
  readonly choices: readonly {
    readonly logprobs?: { readonly token_logprobs: readonly (number | null)[] } | null;
    readonly token_ids?: readonly number[];
  }[];
}

/** Below this lead of the best logit, rounding may choose another token. */
const TIE = 5e-3;

/** Scores the prompts; returns the largest difference of a log-probability from the reference's. */
export async function worstScore(cluster: RunningCluster, cases: readonly OracleCase[]): Promise<number> {
  let worst = 0;
  for (const { tokens, logprobs } of cases) {
    const body = { prompt: tokens, echo: true, logprobs: 1, max_tokens: 0, temperature: 0 };
    const { choices } = await cluster.ask<Completion>("/v1/completions", body);
    const [first, ...scores] = choices[0]?.logprobs?.token_logprobs ?? [];
    expect(first).toBeNull();
    expect(scores).toHaveLength(logprobs.length);
    worst = Math.max(worst, ...logprobs.map((reference, i) => Math.abs((scores[i] ?? Number.NaN) - reference)));
  }
  return worst;
}

/** Expects the reference's greedy tokens, up to the first tie. */
export async function expectGreedy(cluster: RunningCluster, cases: readonly OracleCase[]): Promise<void> {
  for (const { tokens: prompt, greedy, greedy_margin } of cases) {
    const body = { prompt, max_tokens: greedy.length, temperature: 0, ignore_eos: true, return_token_ids: true };
    const { choices } = await cluster.ask<Completion>("/v1/completions", body);
    const tie = greedy_margin.findIndex((margin) => margin <= TIE);
    const compared = tie === -1 ? greedy.length : tie;
    expect(choices[0]?.token_ids).toHaveLength(greedy.length);
    expect(choices[0]?.token_ids?.slice(0, compared)).toEqual(greedy.slice(0, compared));
  }
}
