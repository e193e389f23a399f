import { expect, it } from "vitest";
import { generationSchema } from "./request-fields.js";
import { type JobPlan, toJobs } from "./to-jobs.js";

const arrival = { lane: "interactive", arrivedAtMs: 0, deadlineAtMs: 1, owner: "" } as const;
const usual = { contextLength: 32_768, vocabSize: 40_000 };

function jobs(fields: object, plan: Partial<JobPlan>, limits = usual) {
  const prompts = plan.prompts ?? [[1]];
  const whole = { samples: 1, maxTokens: 1, ...plan, prompts };
  const request = { id: "r", model: "m", replyTo: "g", arrival, limits, plan: whole };
  return toJobs({ ...request, fields: generationSchema.parse(fields) });
}

const biases = Object.fromEntries(Array.from({ length: 32_000 }, (_, id) => [id, 1]));
const constraint = { grammar: "x".repeat(1e6), trigger: null, otherwise: null };
const manyPrompts = Array.from({ length: 2000 }, () => [1]);

it("a bias for every token of a large vocabulary, 16 samples and a long prompt fit", async () => {
  expect(await jobs({ logit_bias: biases }, { samples: 16, prompts: [Array(4000).fill(1)] })).toHaveLength(16);
});

it.each<[string, object, Partial<JobPlan>]>([
  ["logit_bias", { logit_bias: biases }, { prompts: manyPrompts }],
  ["a grammar", {}, { prompts: manyPrompts, constraint }],
  ["stop texts", { stop: Array(16).fill("s".repeat(4000)) }, { prompts: manyPrompts }],
  ["long prompts", {}, { prompts: Array.from({ length: 2000 }, () => Array(4000).fill(1)) }],
])("%s, repeated in each of 2,000 jobs, is refused with the numbers", async (_, fields, plan) => {
  const refusal = { code: "INVALID_REQUEST", message: expect.stringMatching(/2000 jobs with \d{8,} bytes/) };
  await expect(jobs(fields, plan)).rejects.toMatchObject(refusal);
});

it("control characters of stop texts count as the six bytes that they are", async () => {
  const stop = Array.from({ length: 16 }, (_, i) => "\u0001".repeat(4095) + (i % 10));
  expect(await jobs({ stop }, { samples: 20 })).toHaveLength(20);
  const refusal = { code: "INVALID_REQUEST", message: expect.stringMatching(/40 jobs with 157/) };
  await expect(jobs({ stop }, { samples: 40 })).rejects.toMatchObject(refusal);
});

it("2,048 inputs of 500 ids fit, and 8 samples with a bias for each of 131,072 tokens", async () => {
  expect(await jobs({}, { prompts: Array.from({ length: 2048 }, () => Array(500).fill(39_999)) })).toHaveLength(2048);
  const all = Object.fromEntries(Array.from({ length: 131_072 }, (_, id) => [id, 0.5]));
  const large = { contextLength: 32_768, vocabSize: 131_072 };
  expect(await jobs({ logit_bias: all }, { samples: 8 }, large)).toHaveLength(8);
  await expect(jobs({ logit_bias: all }, { samples: 16 }, large)).rejects.toThrow(/16 jobs with 22\d{6} bytes/);
});

it("3,120 prompt tokens may be scored with 20 alternatives, and a context of 32,768 with one", async () => {
  const scored = (tokens: number, promptLogprobs: number) =>
    jobs({}, { prompts: [Array(tokens).fill(1)], promptLogprobs, maxTokens: undefined });
  const refusal = { code: "INVALID_REQUEST", param: "prompt_logprobs" };
  await expect(scored(3120, 20)).resolves.toHaveLength(1);
  await expect(scored(3121, 20)).rejects.toMatchObject(refusal);
  await expect(scored(32_767, 1)).resolves.toHaveLength(1);
});
