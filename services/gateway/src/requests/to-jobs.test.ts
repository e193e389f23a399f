import { packBias } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { turnsDuring } from "../testing/turns-during.js";
import { generationSchema } from "./request-fields.js";
import { type JobPlan, seedOf, toJobs } from "./to-jobs.js";

const limits = { contextLength: 20, vocabSize: 100 };
const arrival = { lane: "interactive", owner: "team", arrivedAtMs: 1000, deadlineAtMs: 2000 } as const;

const request = { id: "cmpl-1", model: "served", replyTo: "g1", arrival, fields: generationSchema.parse({}) };

/** The jobs of a request with these fields. */
const jobsOf = (fields: object = {}, plan: Partial<JobPlan> = {}) =>
  toJobs({
    ...request,
    fields: generationSchema.parse(fields),
    plan: { prompts: [[1, 2, 3]], samples: 1, maxTokens: 5, ...plan },
    limits,
  });

describe("jobs", () => {
  it("are one per sample, numbered through all prompts", async () => {
    const jobs = await jobsOf({ seed: 7 }, { prompts: [[1], [2, 3]], samples: 2 });
    expect(jobs.map(({ requestId, promptIds, sampling }) => [requestId, promptIds, sampling.seed])).toEqual([
      ["cmpl-1-0", [1], 7],
      ["cmpl-1-1", [1], 8],
      ["cmpl-1-2", [2, 3], 7],
      ["cmpl-1-3", [2, 3], 8],
    ]);
  });

  it("have every field filled in, however little the request says", async () => {
    const [job] = await jobsOf({ seed: 0 }, { maxTokens: undefined });
    expect(job).toEqual({
      requestId: "cmpl-1-0",
      model: "served",
      replyTo: "g1",
      promptIds: [1, 2, 3],
      sampling: {
        temperature: 1,
        topK: 0,
        topP: 1,
        minP: 0,
        repetitionPenalty: 1,
        frequencyPenalty: 0,
        presencePenalty: 0,
        seed: 0,
        logitBias: "",
      },
      maxTokens: 17,
      minTokens: 0,
      stop: [],
      stopTokenIds: [],
      ignoreEos: false,
      constraint: null,
      includeStop: false,
      skipSpecialTokens: true,
      hiddenSpace: false,
      logprobs: null,
      promptLogprobs: null,
      pooling: null,
      cachePrompt: true,
      cacheSalt: "",
      route: "3 17 32 ",
      lane: "interactive",
      keyId: "team",
      arrivedAtMs: 1000,
      deadlineAtMs: 2000,
    });
  });

  it.each<[object, object]>([
    [{ stop: "a" }, { stop: ["a"] }],
    [{ stop: ["a", "b"] }, { stop: ["a", "b"] }],
    [{ stop: null }, { stop: [] }],
    [{ stop_token_ids: [5] }, { stopTokenIds: [5] }],
    [{ ignore_eos: true }, { ignoreEos: true }],
    [{ include_stop_str_in_output: true }, { includeStop: true }],
    [{ skip_special_tokens: false }, { skipSpecialTokens: false }],
    [{ cache_prompt: false }, { cachePrompt: false }],
    [{ cache_salt: "s" }, { cacheSalt: "s" }],
    [{ min_tokens: 5 }, { minTokens: 5 }],
  ])("%j becomes %j", async (fields, job) => expect((await jobsOf(fields))[0]).toMatchObject(job));

  it.each<[object, object]>([
    [{ temperature: 0 }, { temperature: 0 }],
    [{ top_k: 40 }, { topK: 40 }],
    [{ top_k: -1 }, { topK: 0 }],
    [{ top_p: 1e-9 }, { topP: 1e-6 }],
    [{ min_p: 0.1 }, { minP: 0.1 }],
    [{ repetition_penalty: 1.1 }, { repetitionPenalty: 1.1 }],
    [
      { logit_bias: { "5": -100, "7": 2 } },
      { logitBias: packBias({ tokens: Int32Array.of(5, 7), values: Float32Array.of(-100, 2) }) },
    ],
    [{ random_seed: 4 }, { seed: 4 }],
    [{ seed: 3, random_seed: 4 }, { seed: 3 }],
    [{ seed: 0xffffffff }, { seed: 0xffffffff }],
    [{ top_p: 0 }, { temperature: 0, topP: 1e-6 }],
    [{ top_p: 0, temperature: 2 }, { temperature: 0 }],
  ])("%j samples with %j", async (fields, sampling) =>
    expect((await jobsOf(fields))[0]?.sampling).toMatchObject(sampling),
  );

  it("draw a seed where none is given, the same one for all prompts", async () => {
    const seeds = (await jobsOf({}, { prompts: [[1], [2]] })).map(({ sampling }) => sampling.seed);
    expect(seeds[0]).toBe(seeds[1]);
    const all = await Promise.all(Array.from({ length: 20 }, () => jobsOf()));
    expect(new Set(all.map(([job]) => job?.sampling.seed)).size).toBeGreaterThan(1);
  });

  it("have other seeds for seeds that differ, also in their upper bits or in their sign", () => {
    const edges = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, 2n ** 53n + 1n, -1n, -2n, 2n ** 32n - 1n];
    const small = Array.from({ length: 1000 }, (_, index) => [BigInt(index), -BigInt(index), BigInt(index) << 32n]);
    const all = [...new Set([...edges, ...small.flat()])];
    expect(new Set(all.map(seedOf)).size).toBe(all.length);
    expect(seedOf(5)).toBe(5);
    expect(seedOf(2 ** 53 - 1)).toBe(seedOf(2n ** 53n - 1n));
  });

  it("wrap a seed that the samples carry over 32 bits", async () => {
    const jobs = await jobsOf({ seed: 0xffffffff }, { samples: 2 });
    expect(jobs.map(({ sampling }) => sampling.seed)).toEqual([0xffffffff, 0]);
  });
});

describe("room for the answer", () => {
  it.each([
    [3, 17, 17],
    [3, undefined, 17],
    [19, undefined, 1],
    [20, 0, 0],
  ])("%d prompt tokens and max_tokens %s leave %d", async (prompt, maxTokens, room) => {
    expect((await jobsOf({}, { prompts: [Array(prompt).fill(1)], maxTokens }))[0]?.maxTokens).toBe(room);
  });

  it.each([
    [3, 18, /^The prompt has 3 tokens and max_tokens asks for 18 more; .* length is 20\. Shorten the prompt or lower/],
    [20, undefined, /prompt has 20 tokens; .* length is 20\. Shorten the prompt\./],
    [21, 0, /prompt has 21 tokens; /],
  ])("%d prompt tokens and max_tokens %s are too many", async (prompt, maxTokens, message) => {
    const refusal = { code: "CONTEXT_LENGTH_EXCEEDED", message: expect.stringMatching(message) };
    await expect(jobsOf({}, { prompts: [Array(prompt).fill(1)], maxTokens })).rejects.toMatchObject(refusal);
  });

  it("is never less than min_tokens asks for", async () => {
    expect((await jobsOf({ min_tokens: 30 }, { maxTokens: undefined }))[0]).toMatchObject({
      maxTokens: 17,
      minTokens: 17,
    });
  });
});

describe("refusals", () => {
  it.each<[string, object, Partial<JobPlan>, string]>([
    ["no tokens", {}, { prompts: [[]] }, "prompt"],
    ["a foreign token", {}, { prompts: [[1], [100]] }, "prompt"],
    ["min_tokens above max_tokens", { min_tokens: 6 }, {}, "min_tokens"],
    ["a bias of a foreign token", { logit_bias: { "100": 1 } }, {}, "logit_bias"],
    ["a bias of 2^32 + 1", { logit_bias: { "4294967297": 1 } }, {}, "logit_bias"],
    ["2,049 jobs", {}, { prompts: Array(2049).fill([1]) }, "prompt"],
    ["2,049 jobs by samples", {}, { prompts: Array(683).fill([1]), samples: 3 }, "prompt"],
  ])("%s", async (_, fields, plan, param) => {
    await expect(jobsOf(fields, plan)).rejects.toMatchObject({ code: "INVALID_REQUEST", param });
  });

  it("name the prompt as the endpoint does", async () => {
    const paramOf = (prompt: number) => `input.${prompt}`;
    const refusal = { param: "input.1", message: "input.1: has no tokens; send at least one." };
    await expect(jobsOf({}, { prompts: [[1], []], paramOf })).rejects.toMatchObject(refusal);
  });

  it("do not reach 2,048 jobs", async () =>
    expect(await jobsOf({}, { prompts: Array(2048).fill([1]) })).toHaveLength(2048));
});

it("many long prompts let the event loop turn", async () => {
  const prompts = Array.from({ length: 2048 }, () => Array(2000).fill(1));
  const many = () =>
    toJobs({ ...request, plan: { prompts, samples: 1, maxTokens: 5 }, limits: { contextLength: 4096, vocabSize: 9 } });
  const { turns } = await turnsDuring(() => many().catch(({ message }) => message));
  expect(turns).toBeGreaterThanOrEqual(3);
});
