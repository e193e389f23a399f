import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";

interface Completion {
  readonly choices: readonly { readonly token_ids?: readonly number[] }[];
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } };
}

const FIXTURES = fileURLToPath(new URL("../fixtures/oracle/", import.meta.url));
const NAMES = ["mistral-32l-swa16", "mistral-8l-full", "llama-6l-mha"];
const SETTINGS = [
  { name: "greedy", temperature: 0 },
  { name: "sampled", temperature: 0.9, top_k: 20, seed: 7 },
  // Random weights hardly repeat themselves: with two tokens left to draw from, many guesses are right.
  { name: "two tokens", temperature: 0.9, seed: 7, logit_bias: { 5: 100, 6: 100 } },
];
const TOKENS = 40;

/** f32 pages: what is left between two orders of summation is some 1e-5 of log-probability. */
const flagsFor = (name: string): readonly string[] => [
  ...["--model", `${FIXTURES}${name}/model-f32.gguf`, "--workers", "2", "--kv-type", "f32"],
];

/** Prompts whose text repeats itself, so that the prompt lookup has something to guess, and some that begin alike. */
function promptsOf(name: string): readonly (readonly number[])[] {
  const { cases } = JSON.parse(readFileSync(`${FIXTURES}${name}/reference.json`, "utf8")) as {
    cases: readonly { readonly tokens: readonly number[] }[];
  };
  const [first = []] = cases.map(({ tokens }) => tokens).toSorted((a, b) => b.length - a.length);
  const repeated = [...first.slice(0, 12), ...first.slice(1, 12), ...first.slice(1, 12)];
  return [...cases.map(({ tokens }) => tokens), first.slice(0, -5), [...first.slice(0, 40), 9, 8, 7], repeated];
}

describe.each(NAMES)("%s gives the same tokens", (name) => {
  const prompts = promptsOf(name);
  const clusters: RunningCluster[] = [];
  const alone = new Map<string, readonly (readonly number[] | undefined)[]>();

  const ask = async (cluster: RunningCluster, prompt: readonly number[], more: object) => {
    const body = { prompt, max_tokens: TOKENS, ignore_eos: true, return_token_ids: true, ...more };
    const { choices, usage } = await cluster.ask<Completion>("/v1/completions", body);
    expect(choices[0]?.token_ids).toHaveLength(TOKENS);
    return { ids: choices[0]?.token_ids, cached: usage.prompt_tokens_details.cached_tokens };
  };

  beforeAll(async () => {
    const flags = flagsFor(name);
    clusters.push(await RunningCluster.start(flags));
    clusters.push(await RunningCluster.start([...flags, "--max-rows", "7", "--speculate", "6"]));
    const [plain] = clusters;
    if (plain === undefined) return;
    for (const { name: setting, ...sampling } of SETTINGS) {
      const answers: (readonly number[] | undefined)[] = [];
      for (const prompt of prompts) answers.push((await ask(plain, prompt, { ...sampling, cache_prompt: false })).ids);
      alone.set(setting, answers);
    }
  });
  afterAll(async () => {
    for (const cluster of clusters) await cluster.stop();
  });

  const clusterAt = (index: number): RunningCluster => {
    const cluster = clusters[index];
    if (cluster === undefined) throw new Error("the cluster did not start");
    return cluster;
  };

  test.each(SETTINGS)("all at once, $name", async ({ name: setting, ...sampling }) => {
    const all = prompts.map((prompt) => ask(clusterAt(0), prompt, { ...sampling, cache_prompt: false }));
    expect((await Promise.all(all)).map(({ ids }) => ids)).toEqual(alone.get(setting));
  });

  test.each(SETTINGS)("with prefixes from the cache, $name", async ({ name: setting, ...sampling }) => {
    const rounds = [];
    for (let round = 0; round < 2; round++) {
      for (const prompt of prompts) rounds.push(await ask(clusterAt(0), prompt, sampling));
    }
    const second = rounds.slice(prompts.length);
    expect(rounds.slice(0, prompts.length).map(({ ids }) => ids)).toEqual(alone.get(setting));
    expect(second.map(({ ids }) => ids)).toEqual(alone.get(setting));
    // All of a prompt but its last token was computed before.
    expect(second.map(({ cached }) => cached)).toEqual(prompts.map((prompt) => prompt.length - 1));
  });

  test.each(SETTINGS)(
    "in chunks of at most 7 rows, with speculation, $name",
    async ({ name: setting, ...sampling }) => {
      const all = prompts.map((prompt) => ask(clusterAt(1), prompt, sampling));
      expect((await Promise.all(all)).map(({ ids }) => ids)).toEqual(alone.get(setting));
      for (const [index, prompt] of prompts.entries()) {
        expect((await ask(clusterAt(1), prompt, sampling)).ids).toEqual(alone.get(setting)?.[index]);
      }
      const { drafted, accepted } = (await clusterAt(1).status()).tokens;
      if (setting === "two tokens") expect(accepted / drafted).toBeGreaterThan(0.2);
    },
  );
});
