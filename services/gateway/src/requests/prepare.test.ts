import type { ClusterStatus } from "@rhone/common";
import { RhoneError } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { ServedModels } from "../models/served-models.js";
import type { ClusterState } from "../queue/cluster-state.js";
import { FakeCluster } from "../testing/fake-cluster.js";
import { fakeGrammars, fakeSummary } from "../testing/fake-gateway.js";
import { fakeModel } from "../testing/fake-model.js";
import { spin } from "../testing/spin.js";
import { turnsDuring } from "../testing/turns-during.js";
import type { TextModel } from "../text/text-model.js";
import {
  type Arrival,
  deliveryOf,
  frameOf,
  openRequest,
  type Preparation,
  type Prepare,
  truncatePrompt,
} from "./prepare.js";
import { prepareChat } from "./prepare-chat.js";
import { prepareCompletion } from "./prepare-completion.js";
import { prepareEmbeddings } from "./prepare-embeddings.js";
import { prepareFim } from "./prepare-fim.js";
import { generationSchema } from "./request-fields.js";

const arrival: Arrival = {
  id: "x",
  lane: "batch",
  owner: "team",
  arrivedAtMs: 1_700_000_000_999,
  deadlineAtMs: 1_700_000_009_000,
};

interface Changes {
  readonly model?: TextModel;
  readonly cluster?: ClusterState;
}

const preparation = ({ model = fakeModel(), cluster = new FakeCluster() }: Changes = {}): Preparation => ({
  models: new ServedModels([{ text: model, grammars: fakeGrammars, summary: fakeSummary }], cluster),
  gatewayId: "g1",
});

const open = (fields: object, changes: Changes = {}) =>
  openRequest({ preparation: preparation(changes), arrival, prefix: "cmpl-", fields: generationSchema.parse(fields) });

describe("opening a request", () => {
  it.each(["tiny", "small", undefined])("finds the coordinator of the model %s", async (model) => {
    expect((await open({ model })).coordinator.coordinator).toBe("c1");
  });

  it.each<[string, object, Changes, string]>([
    ["another model", { model: "huge" }, {}, "MODEL_NOT_FOUND"],
    ["no coordinator that is ready", {}, { cluster: new FakeCluster(undefined, "loading") }, "NO_PIPELINE"],
    ["no coordinator at all", {}, { cluster: { coordinators: async () => [] } }, "NO_PIPELINE"],
    [
      "no Redis",
      {},
      { cluster: { coordinators: () => Promise.reject(new RhoneError("REDIS_UNAVAILABLE", "away")) } },
      "REDIS_UNAVAILABLE",
    ],
  ])("fails for %s", (_, fields, changes, code) => expect(open(fields, changes)).rejects.toMatchObject({ code }));
});

describe("the frame of an answer", () => {
  it("follows from the arrival, the model and the coordinator", async () => {
    expect(frameOf(await open({}))).toEqual({
      id: "cmpl-x",
      created: 1_700_000_000,
      modelName: "tiny",
      fingerprint: "fp_abcdef012345",
      wantsTokenIds: false,
      tokensAsIds: false,
      showsSpecial: false,
      runningUsage: false,
      usageChunk: false,
      warnings: [],
    });
  });

  it("repeats the model's name as the client wrote it", async () => {
    expect(frameOf(await open({ model: "small" })).modelName).toBe("small");
  });

  it("says where nothing was computed", async () => {
    const [status] = await new FakeCluster().coordinators();
    const cluster = { coordinators: async () => [{ ...status, simulated: true } as ClusterStatus] };
    expect(frameOf(await open({}, { cluster })).fingerprint).toBe("fp_simulated");
  });

  it.each<[object, object]>([
    [{ return_token_ids: true }, { wantsTokenIds: true }],
    [{ return_tokens_as_token_ids: true }, { tokensAsIds: true }],
    [{ stream: true, stream_options: { continuous_usage_stats: true } }, { runningUsage: true }],
    [{ stream: true, stream_options: { include_usage: true } }, { usageChunk: true }],
    [{ stream: true, stream_options: { include_usage: false } }, { hidesUsage: true }],
  ])("%j becomes %j", async (fields, frame) => expect(frameOf(await open(fields))).toMatchObject(frame));
});

it.each<[object, object]>([
  [{}, { stream: false, resumable: false }],
  [{ stream: true }, { stream: true, resumable: false }],
  [
    { stream: true, stream_options: { resumable: true } },
    { stream: true, resumable: true },
  ],
])("%j is delivered as %j", (fields, delivery) => expect(deliveryOf(generationSchema.parse(fields))).toEqual(delivery));

it.each([
  [undefined, [1, 2, 3]],
  [2, [2, 3]],
  [9, [1, 2, 3]],
])("a prompt cut to %s keeps its end", (most, ids) => expect(truncatePrompt([1, 2, 3], most)).toEqual(ids));

const messages = [{ role: "user", content: "hi" }];

describe("every endpoint", () => {
  it.each<[string, Prepare, object]>([
    ["chatcmpl-x", prepareChat, { messages }],
    ["cmpl-x", prepareCompletion, { prompt: "a" }],
    ["cmpl-x", prepareFim, { prompt: "a", suffix: "b" }],
    ["embd-x", prepareEmbeddings, { input: "a" }],
  ])("hands its arrival on to the job %s-0", async (id, prepare, body) => {
    const { jobs } = await prepare(preparation(), body, arrival);
    const { arrivedAtMs, deadlineAtMs } = arrival;
    const about = { model: "tiny", replyTo: "g1", lane: "batch", keyId: "team", arrivedAtMs, deadlineAtMs };
    expect(jobs).toEqual([expect.objectContaining({ requestId: `${id}-0`, ...about })]);
  });

  it.each<[string, Prepare, object, boolean]>([
    ["a chat without a limit", prepareChat, { messages }, false],
    ["a chat with max_tokens", prepareChat, { messages, max_tokens: 5 }, true],
    ["a chat with OpenAI's newer field", prepareChat, { messages, max_completion_tokens: 5, max_tokens: 9 }, true],
    ["a completion, which has one by default", prepareCompletion, { prompt: "a" }, true],
    ["fill-in-the-middle without a limit", prepareFim, { prompt: "a" }, false],
    ["fill-in-the-middle with max_tokens", prepareFim, { prompt: "a", max_tokens: 5 }, true],
    ["embeddings", prepareEmbeddings, { input: "a" }, true],
  ])("knows whether its answer is limited: %s", async (_, prepare, body, statesLimit) => {
    expect((await prepare(preparation(), body, arrival)).statesLimit).toBe(statesLimit);
  });

  it("prefers max_completion_tokens", async () => {
    const { jobs } = await prepareChat(preparation(), { messages, max_completion_tokens: 5, max_tokens: 9 }, arrival);
    expect(jobs[0]?.maxTokens).toBe(5);
  });
});

describe("completions", () => {
  const jobsOf = async (body: object) =>
    (await prepareCompletion(preparation(), { prompt: "ab", ...body }, arrival)).jobs;

  it.each<[string, unknown, number[][]]>([
    ["a text", "ab", [[32, 97, 98]]],
    [
      "texts",
      ["a", "b"],
      [
        [32, 97],
        [32, 98],
      ],
    ],
    ["token ids", [5, 6], [[5, 6]]],
    ["lists of token ids", [[5], [6, 7]], [[5], [6, 7]]],
  ])("take %s", async (_, prompt, ids) => {
    expect((await jobsOf({ prompt })).map(({ promptIds }) => promptIds)).toEqual(ids);
  });

  it.each<[string, object, object]>([
    ["no log-probabilities", {}, { logprobs: null, promptLogprobs: null, maxTokens: 16 }],
    ["log-probabilities", { logprobs: 2 }, { logprobs: 2, promptLogprobs: null }],
    ["an echo with them", { logprobs: 2, echo: true }, { logprobs: 2, promptLogprobs: 2 }],
    ["vLLM's prompt_logprobs", { prompt_logprobs: 3 }, { logprobs: null, promptLogprobs: 3 }],
    ["the most that either needs", { logprobs: 5, echo: true, prompt_logprobs: 3 }, { promptLogprobs: 5 }],
    ["a choice among samples, which needs them", { best_of: 2 }, { logprobs: 0 }],
    ["a score of the prompt alone", { max_tokens: 0, echo: true }, { maxTokens: 0 }],
  ])("ask for %s", async (_, body, job) => expect((await jobsOf(body))[0]).toMatchObject(job));

  it.each<[string, object, string]>([
    ["no tokens and no echo", { max_tokens: 0 }, "max_tokens"],
    ["fewer samples than choices", { best_of: 1, n: 2 }, "best_of"],
    ["a choice among samples as a stream", { best_of: 2, stream: true }, "best_of"],
    ["prompt_logprobs as a stream", { prompt_logprobs: 1, stream: true }, "prompt_logprobs"],
    ["an echo and a suffix", { echo: true, suffix: "b" }, "echo"],
    ["a suffix to token ids", { prompt: [1], suffix: "b" }, "suffix"],
    ["no prompt", { prompt: [] }, "prompt"],
    ["a mixed prompt", { prompt: ["a", 1] }, "prompt"],
  ])("refuse %s", async (_, body, param) => {
    await expect(jobsOf(body)).rejects.toMatchObject({ code: "INVALID_REQUEST", param });
  });

  it("name no record where no gateway could write the answer again", async () => {
    expect((await prepareCompletion(preparation(), { prompt: "a", best_of: 2 }, arrival)).record).toBeUndefined();
    expect((await prepareCompletion(preparation(), { prompt: "a", n: 2 }, arrival)).record).toMatchObject({
      version: 1,
    });
  });

  it("fill in the middle between prompt and suffix", async () => {
    expect((await jobsOf({ suffix: "c" }))[0]?.promptIds).toEqual([1, 13, 99, 11, 97, 98]);
    const cut = { suffix: "c", prompt: ["a", "b"], truncate_prompt_tokens: 2 };
    expect((await jobsOf(cut)).map(({ promptIds }) => promptIds)).toEqual([
      [11, 97],
      [11, 98],
    ]);
  });

  it("fill all gaps of a request together", async () => {
    const fill = vi.fn(fakeModel().fillInMiddle);
    const model = { ...fakeModel(), fillInMiddle: fill };
    const body = { prompt: Array.from({ length: 1000 }, (_, i) => `${i}`), suffix: "c" };
    expect((await prepareCompletion(preparation({ model }), body, arrival)).jobs).toHaveLength(1000);
    expect(fill).toHaveBeenCalledOnce();
  });

  it("refuse a suffix that makes of a short request a long one, with the numbers", async () => {
    const refused = jobsOf({ prompt: Array(2048).fill("a"), suffix: "b".repeat(5000) });
    await expect(refused).rejects.toMatchObject({
      param: "suffix",
      message:
        "suffix: the 2048 prompts have 10242048 characters with it, and a request's have at most 8388608; split the request.",
    });
  });

  it("are read for an echo in turns, and only where they fit", async () => {
    const model = fakeModel();
    const pieceBytes = vi.spyOn(model, "pieceBytes").mockImplementation((id) => {
      spin(0.05);
      return Buffer.from([id]);
    });
    const open = preparation({ model: { ...model, contextLength: 2000 } });
    const echo = (length: number) => prepareCompletion(open, { prompt: Array(length).fill(97), echo: true }, arrival);
    const { turns } = await turnsDuring(() => echo(2000).catch(({ code }) => code));
    expect(turns).toBeGreaterThanOrEqual(3);
    pieceBytes.mockClear();
    await expect(echo(2001)).rejects.toMatchObject({ code: "CONTEXT_LENGTH_EXCEEDED" });
    expect(pieceBytes).not.toHaveBeenCalled();
  });
});

describe("a model without tokens for the middle", () => {
  const { fillInMiddle: _, ...model } = fakeModel();
  const without = preparation({ model: { ...model, fillInMiddle: undefined } });
  it.each<[string, Prepare, object]>([
    ["suffix", prepareCompletion, { prompt: "a", suffix: "b" }],
    ["model", prepareFim, { prompt: "a" }],
  ])("refuses %s", async (param, prepare, body) => {
    const refusal = { apiCode: "unsupported_parameter", param };
    await expect(prepare(without, body, arrival)).rejects.toMatchObject(refusal);
  });
});

describe("embeddings", () => {
  const ask = (body: object) => prepareEmbeddings(preparation(), body, arrival);

  it("are pooled, not sampled, and leave the prefix cache alone", async () => {
    const { jobs, stream, atOnce } = await ask({ input: ["a", "b"] });
    expect(jobs).toHaveLength(2);
    expect(jobs[0]).toMatchObject({ pooling: "mean", maxTokens: 0, cachePrompt: false });
    expect([stream, atOnce]).toEqual([false, 64]);
  });

  it.each<[string, object, string]>([
    ["an empty text", { input: "" }, "input"],
    ["no input", {}, "input"],
    ["2,049 inputs", { input: Array(2049).fill("a") }, "input"],
    ["a foreign token", { input: [[1], [256]] }, "input.1"],
    ["fewer dimensions", { input: "a", dimensions: 2 }, "dimensions"],
    ["integers", { input: "a", output_dtype: "int8" }, "output_dtype"],
  ])("refuse %s", async (_, body, param) => {
    await expect(ask(body)).rejects.toMatchObject({ code: "INVALID_REQUEST", param });
  });

  it("take the model's own dimensions", () => expect(ask({ input: "a", dimensions: 4 })).resolves.toBeDefined());
});
