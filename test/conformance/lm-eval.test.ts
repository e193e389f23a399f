import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";
import { openVenv } from "./python/venv.js";

// The requests of lm-evaluation-harness 0.4's `local-completions`, and what it reads from the answers
// (lm_eval/models/openai_completions.py, api_models.py); the last test runs the harness itself.

const LM_EVAL = fileURLToPath(new URL("lm-eval/", import.meta.url));

const cluster = await sharedCluster();

interface Logprobs {
  readonly token_logprobs: readonly (number | null)[];
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
}
interface Answer {
  readonly choices: readonly { readonly index: number; readonly text: string; readonly logprobs: Logprobs }[];
}

/** The remote tokenizer's two calls. */
const encode = async (prompt: string) =>
  (await cluster.ask<{ tokens: number[] }>("/tokenize", { prompt, add_special_tokens: false })).tokens;
const decode = async (tokens: readonly number[]) =>
  (await cluster.ask<{ prompt: string }>("/detokenize", { tokens })).prompt;

/** `parse_logprobs`: each continuation's log-probability, and whether greedy decoding would give it. */
function parseLogprobs({ choices }: Answer, contextLengths: readonly number[]) {
  const sorted = [...choices].sort((a, b) => a.index - b.index);
  return sorted.map(({ logprobs }, index) => {
    const values = logprobs.token_logprobs.slice(contextLengths[index], -1);
    const tops = logprobs.top_logprobs.slice(contextLengths[index], -1);
    const isGreedy = values.every((value, i) => value === Math.max(...Object.values(tops[i] ?? {})));
    return {
      sum: values.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0),
      isGreedy,
      count: values.length,
    };
  });
}

const score = (prompt: readonly (readonly number[] | string)[]) =>
  cluster.ask<Answer>("/v1/completions", {
    model: "breeze",
    prompt,
    temperature: 0,
    max_tokens: 1,
    logprobs: 1,
    seed: 1234,
    echo: true,
  });

test("the tokenizer is read from the server: special tokens by name, and texts there and back", async () => {
  const response = await fetch(`${cluster.url}/tokenizer_info`);
  const info = (await response.json()) as { eos_token?: string };
  expect(await encode(info.eos_token ?? "")).toContain(2);
  expect(info).toMatchObject({ bos_token: expect.any(String), pad_token: expect.any(String) });
  for (const text of ["Hello world", "What is the capital of France?", "a  b\n é ☺"]) {
    expect(await decode(await encode(text))).toBe(text);
  }
});

test("several continuations are scored in one request: prompt plus one token, null first, bit-equal greedy numbers", async () => {
  const context = await encode("What is the capital of");
  const continuation = await cluster.ask<{ choices: { token_ids: number[] }[] }>("/v1/completions", {
    prompt: [context],
    max_tokens: 3,
    temperature: 0,
    ignore_eos: true,
    return_token_ids: true,
  });
  const greedy = continuation.choices[0]?.token_ids ?? [];
  const other = [...greedy.slice(0, 2), (greedy[2] ?? 0) === 300 ? 301 : 300];
  const prompts = [
    [...context, ...greedy],
    [...context, ...other],
  ];
  const answer = await score(prompts);
  for (const { index, logprobs } of answer.choices) {
    expect(logprobs.token_logprobs).toHaveLength((prompts[index]?.length ?? 0) + 1);
    expect([logprobs.token_logprobs[0], logprobs.top_logprobs[0]]).toEqual([null, null]);
  }
  const parsed = parseLogprobs(answer, [context.length, context.length]);
  expect(parsed.map(({ isGreedy, count }) => [isGreedy, count])).toEqual([
    [true, 3],
    [false, 3],
  ]);
  expect(parsed[0]?.sum).toBeGreaterThan(parsed[1]?.sum ?? 0);
});

test("a batch of one gives the numbers of a batch of many", async () => {
  const prompts = await Promise.all(["The sun is", "Water is", "A dog can"].map(encode));
  const together = parseLogprobs(await score(prompts), [1, 1, 1]);
  for (const [index, prompt] of prompts.entries()) {
    const [alone] = parseLogprobs(await score([prompt]), [1]);
    expect(alone?.sum).toBeCloseTo(together[index]?.sum ?? Number.NaN, 3);
  }
});

test("texts may be scored instead of tokens", async () => {
  const { choices } = await score(["The sun is"]);
  expect(choices[0]?.logprobs.token_logprobs.length).toBeGreaterThan(2);
});

test("texts are generated until a stop string", async () => {
  const { choices } = await cluster.ask<Answer>("/v1/completions", {
    prompt: [await encode("The sun is")],
    model: "breeze",
    max_tokens: 32,
    temperature: 0,
    stop: [".", "</s>"],
    seed: 1234,
  });
  expect(choices[0]?.text).not.toContain(".");
});

test("lm-eval itself scores a small task, by log-probabilities, completions and chats", {
  timeout: 600_000,
}, async ({ skip }) => {
  skip(process.env.RHONE_CLIENTS !== "all", "lm-eval installs 350 MB more; RHONE_CLIENTS=all runs it");
  const venv = await openVenv(join(LM_EVAL, "requirements.txt"));
  if ("missing" in venv) return skip(venv.missing);
  const folder = mkdtempSync(join(tmpdir(), "rhone-lm-eval-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const scores = join(folder, "scores.json");
  const env = { ...process.env, TMPDIR: folder };
  await promisify(execFile)(venv.python, [join(LM_EVAL, "evaluate.py"), cluster.url, scores], {
    env,
    timeout: 300_000,
  });
  expect(JSON.parse(readFileSync(scores, "utf8"))).toEqual({ chosen: 1, completed: 1, told: 1 });
});
