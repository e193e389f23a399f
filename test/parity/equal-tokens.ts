import { expect } from "vitest";
import type { RunningCluster } from "../cluster/start-cluster.js";
import type { Oracle } from "./oracle.js";

interface Completion {
  readonly choices: readonly { readonly token_ids?: readonly number[] }[];
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } };
}

export interface Sampling {
  readonly temperature: number;
  readonly [field: string]: unknown;
}

/** Tokens per answer: past the window of 16, and enough to fill the page of 32 that holds the prompt's last token. */
const TOKENS = 32;

/** The oracle's prompts, two that begin like one of them, and one that repeats itself, so that drafts are guessed. */
export function promptsOf({ cases }: Oracle): readonly (readonly number[])[] {
  const [longest = []] = cases.map(({ tokens }) => tokens).toSorted((a, b) => b.length - a.length);
  const repeated = [...longest.slice(0, 12), ...longest.slice(1, 12), ...longest.slice(1, 12)];
  return [...cases.map(({ tokens }) => tokens), longest.slice(0, -5), [...longest.slice(0, 40), 9, 8, 7], repeated];
}

export interface Tokens {
  readonly ids: readonly number[];
  /** Prompt tokens served from the prefix cache. */
  readonly cached: number;
}

async function generate(cluster: RunningCluster, prompt: readonly number[], fields: object): Promise<Tokens> {
  const body = { prompt, max_tokens: TOKENS, ignore_eos: true, return_token_ids: true, ...fields };
  const { choices, usage } = await cluster.ask<Completion>("/v1/completions", body);
  const ids = choices[0]?.token_ids ?? [];
  expect(ids).toHaveLength(TOKENS);
  return { ids, cached: usage.prompt_tokens_details.cached_tokens };
}

export async function oneByOne(
  cluster: RunningCluster,
  prompts: readonly (readonly number[])[],
  fields: object,
): Promise<readonly Tokens[]> {
  const answers: Tokens[] = [];
  for (const prompt of prompts) answers.push(await generate(cluster, prompt, fields));
  return answers;
}

export const allAtOnce = (
  cluster: RunningCluster,
  prompts: readonly (readonly number[])[],
  fields: object,
): Promise<readonly Tokens[]> => Promise.all(prompts.map((prompt) => generate(cluster, prompt, fields)));

export const idsOf = (answers: readonly Tokens[]): readonly (readonly number[])[] => answers.map(({ ids }) => ids);
