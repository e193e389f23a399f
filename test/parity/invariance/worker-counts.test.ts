import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "@rhone/ggml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunningCluster } from "../../cluster/start-cluster.js";
import { writeDequantized } from "../dequantized-copy.js";
import { hasSmolLm2, smolLm2Path } from "../smollm2.js";
import { type Answer, askAll } from "./answers.js";
import type { Request } from "./requests.js";

/**
 * Set to ask all 40 prompts on up to 30 workers, and this many of them with f32 weights: about 8 minutes on two cores,
 * with 40 half an hour. Otherwise four prompts are asked with quantized weights alone.
 */
const LONG = process.env.RHONE_INVARIANCE_REQUESTS;
const TIMEOUT = 1_800_000;
const MAX_TOKENS = 64;
const WORKERS = LONG === undefined ? [1, 5] : [1, 2, 3, 5, 30];

const SUBJECTS = ["France", "Japan", "Egypt", "Brazil", "Canada", "India", "Norway", "Kenya"];
const QUESTIONS = [
  (country: string) => `Question: What is the capital of ${country}?\nAnswer:`,
  (country: string) => `Question: Which languages are spoken in ${country}?\nAnswer:`,
  (country: string) => `Here are three facts about ${country}:\n1.`,
  (country: string) => `A short story about a child in ${country}. Once upon a time`,
  (country: string) => `What would you eat in ${country} for breakfast? I would eat`,
];
const PROMPTS = QUESTIONS.flatMap((question) => SUBJECTS.map(question));

/**
 * Rhone's kernels compute the quantized file, so that a row has the same bits in any company: 16 requests run side by
 * side, and their log-probabilities are equal to the bit. ggml computes f32, where a product of one row and one of
 * several differ in the last bits, and the chunks of a prompt depend on measured times: tokens are equal, and
 * log-probabilities nearly. One request runs at a time, so that no two change each other's rows.
 */
const CASES = [
  { weights: "Q4_1", kvType: "f16", prompts: LONG === undefined ? PROMPTS.slice(-4) : PROMPTS, atOnce: 16 },
  { weights: "f32", kvType: "f32", prompts: PROMPTS.slice(0, Number(LONG ?? 0)), atOnce: 1 },
].filter(({ prompts }) => prompts.length > 0);

/** Each prompt greedily and drawn with a seed of its own, 64 tokens whatever they are. */
const requestsOf = (prompts: readonly string[]): readonly Request[] =>
  prompts.flatMap((prompt, seed) => {
    const request = { prompt, max_tokens: MAX_TOKENS, logprobs: 0, cache_prompt: false };
    return [
      { ...request, temperature: 0 },
      { ...request, temperature: 0.8, top_p: 0.95, seed },
    ];
  });

const isThere = hasSmolLm2();
const folder = mkdtempSync(join(tmpdir(), "rhone-system-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(isThere).each(CASES)("SmolLM2 135M, $weights", ({ weights, kvType, prompts, atOnce }) => {
  const requests = requestsOf(prompts);
  const path = weights === "f32" ? join(folder, "f32.gguf") : smolLm2Path;
  const answersOn = async (workers: number): Promise<readonly Answer[]> => {
    const layout = ["--workers", String(workers), "--threads", "1", "--kv-type", kvType];
    const cluster = await RunningCluster.start(["--model", path, ...layout]);
    try {
      return (await askAll(cluster, requests, { atOnce })).answers;
    } finally {
      await cluster.stop();
    }
  };
  let onOne: readonly Answer[];

  beforeAll(async () => {
    if (weights === "f32") await writeDequantized(openEngine({}), smolLm2Path, path);
    onOne = await answersOn(1);
  }, TIMEOUT);

  test.each(WORKERS.slice(1))("%i workers answer as one does", { timeout: TIMEOUT }, async (workers) => {
    const answers = await answersOn(workers);
    expect(answers.map(({ ids }) => ids.length)).toEqual(requests.map(() => MAX_TOKENS));
    const ids = ({ ids: all }: Answer) => all;
    if (weights === "f32") expect(answers.map(ids)).toEqual(onOne.map(ids));
    else expect(answers).toEqual(onOne);
  });
});
