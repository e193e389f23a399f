import { describe, expect, it } from "vitest";
import { choiceId, type GenerationJob, generationJobSchema, requestOfChoice } from "./generation-job.js";
import { packBias } from "./packed-bias.js";

const job: GenerationJob = {
  requestId: "r1",
  model: "breeze",
  replyTo: "gateway-1",
  promptIds: [1, 2, 3],
  sampling: {
    temperature: 0,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    seed: 0,
    logitBias: packBias({ tokens: Int32Array.of(5), values: Float32Array.of(-100) }),
  },
  maxTokens: 16,
  minTokens: 0,
  stop: ["\n"],
  stopTokenIds: [2],
  ignoreEos: false,
  constraint: { grammar: 'root ::= "yes"', trigger: null, otherwise: null },
  includeStop: false,
  skipSpecialTokens: true,
  hiddenSpace: false,
  logprobs: null,
  promptLogprobs: 5,
  pooling: null,
  cachePrompt: true,
  cacheSalt: "",
  route: "",
  lane: "interactive",
  keyId: "",
  arrivedAtMs: 1_700_000_000_000,
  deadlineAtMs: 1_700_000_600_000,
};

const isGood = (changes: object) => generationJobSchema.safeParse({ ...job, ...changes }).success;
const isGoodSampling = (changes: object) => isGood({ sampling: { ...job.sampling, ...changes } });

describe("a job", () => {
  it("is read back as it was put on the queue", () => {
    expect(generationJobSchema.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
  });

  it("of an earlier gateway has no constraint, makes text and hides no space", () => {
    const { constraint: _, pooling: __, hiddenSpace: ____, ...earlier } = job;
    expect(generationJobSchema.parse(earlier)).toEqual({ ...job, constraint: null, pooling: null, hiddenSpace: false });
    const { otherwise: ___, ...grammar } = { ...job.constraint, otherwise: null };
    expect(generationJobSchema.parse({ ...job, constraint: grammar }).constraint).toEqual(job.constraint);
  });

  it.each<[string, object, boolean]>([
    ["one prompt token", { promptIds: [0] }, true],
    ["no prompt", { promptIds: [] }, false],
    ["a prompt that is text", { promptIds: "The" }, false],
    ["the largest token id", { promptIds: [0x7fffffff] }, true],
    ["a token id that i32 cannot hold", { promptIds: [0x80000000] }, false],
    ["a negative token id", { promptIds: [-1] }, false],
    ["a fraction of a token", { promptIds: [0.5] }, false],
    ["an id of 128 characters", { requestId: "x".repeat(128) }, true],
    ["an id of 129 characters", { requestId: "x".repeat(129) }, false],
    ["no id", { requestId: "" }, false],
    ["no tokens to generate: a prompt to score", { maxTokens: 0 }, true],
    ["negative tokens to generate", { maxTokens: -1 }, false],
    ["an empty stop string", { stop: [""] }, false],
    ["20 alternatives", { logprobs: 20, promptLogprobs: 20 }, true],
    ["21 alternatives", { logprobs: 21 }, false],
    ["21 alternatives for the prompt", { promptLogprobs: 21 }, false],
    ["mean pooling", { pooling: "mean" }, true],
    ["another pooling", { pooling: "max" }, false],
    ["an empty grammar", { constraint: { ...job.constraint, grammar: "" } }, false],
    ["a salt of 256 characters", { cacheSalt: "x".repeat(256) }, true],
    ["a salt of 257 characters", { cacheSalt: "x".repeat(257) }, false],
    ["the batch lane", { lane: "batch" }, true],
    ["an unknown lane", { lane: "express" }, false],
  ])("with %s", (_, changes, expected) => expect(isGood(changes)).toBe(expected));

  it.each<[object, boolean]>([
    [{ temperature: 2 }, true],
    [{ temperature: -0.1 }, false],
    [{ temperature: Number.NaN }, false],
    [{ temperature: Number.POSITIVE_INFINITY }, false],
    [{ temperature: 1e39 }, false],
    [{ topP: 0 }, false],
    [{ topP: 1e-6 }, true],
    [{ topP: 1e-46 }, false],
    [{ topP: 1.01 }, false],
    [{ topK: 1.5 }, false],
    [{ minP: 1 }, true],
    [{ minP: 1.1 }, false],
    [{ repetitionPenalty: 0 }, false],
    [{ repetitionPenalty: 1e-46 }, false],
    [{ topK: 0x80000000 }, false],
    [{ frequencyPenalty: -2, presencePenalty: 2 }, true],
    [{ seed: 0xffffffff }, true],
    [{ seed: 0x100000000 }, false],
    [{ logitBias: [[1, 0.5]] }, false],
    [{ logitBias: "AAAA" }, false],
    [{ presencePenalty: -1e39 }, false],
    [{ seed: undefined }, false],
  ])("with the sampling %j: %s", (changes, expected) => expect(isGoodSampling(changes)).toBe(expected));
});

it.each([
  [choiceId("chatcmpl-0b1c", 12), "chatcmpl-0b1c"],
  [choiceId("batch_7-3-r1", 0), "batch_7-3-r1"],
  ["alone", "alone"],
])("the job %s is of the request %s", (id, request) => expect(requestOfChoice(id)).toBe(request));
