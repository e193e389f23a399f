import { afterEach, describe, expect, it } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { fakeGateway, hello, type Script } from "../testing/fake-gateway.js";
import { fakeModel } from "../testing/fake-model.js";

const OTHER = fakeModel({
  name: "other",
  aliases: ["else"],
  fingerprint: "other",
  contextLength: 100,
  // Token ids of the other model are the bytes, from 100 on.
  vocabSize: 356,
  encodeTexts: async (texts) => texts.map((text) => [...Buffer.from(text)].map((byte) => byte + 100)),
  encodeText: async (text) => [...Buffer.from(text)].map((byte) => byte + 100),
  encodeChat: async () => [101, 102],
  pieceBytes: (id) => Buffer.from([id - 100]),
  fillInMiddle: undefined,
});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A gateway of the models "tiny" and "other". `state`: of the other's coordinator; null: it has none. */
function gateway(state: "ready" | "loading" | null = "ready", script: Script = hello) {
  const fake = fakeGateway(script, "ready", { models: [fakeModel(), OTHER] });
  const model = { ...status("").model, name: "other", fingerprint: "other", contextLength: 32 };
  if (state !== null) fake.statuses.push(status("c2", { state, model, startedAtMs: 1_800_000_000_000 }));
  closing.push(() => fake.app.close());
  const get = async (url: string) => fake.app.inject(url);
  return { ...fake, get };
}

const messages = [{ role: "user", content: "hi" }];

describe("a request", () => {
  it.each<[string, object]>([
    ["/v1/chat/completions", { messages }],
    ["/v1/completions", { prompt: "A" }],
    ["/v1/messages", { messages, max_tokens: 8 }],
    ["/v1/responses", { input: "hi" }],
    ["/v1/embeddings", { input: "A" }],
  ])("to %s goes by its model's name to its tokenizer and queue", async (path, body) => {
    const { post, jobs } = gateway();
    await post(path, { ...body, model: "tiny" });
    await post(path, { ...body, model: "else" });
    await post(path, body);
    expect(jobs.map(({ model }) => model)).toEqual(["tiny", "other", "tiny"]);
    const [tiny, other, without] = jobs.map(({ promptIds }) => promptIds);
    expect(without).toEqual(tiny);
    expect(Math.min(...(other ?? []))).toBeGreaterThan(100);
  });

  it("is limited by its own model's context, vocabulary and abilities", async () => {
    const { post } = gateway();
    const ask = async (body: object) => (await post("/v1/completions", { max_tokens: 1, ...body })).statusCode;
    expect(await ask({ model: "tiny", prompt: Array(40).fill(65) })).toBe(200);
    expect(await ask({ model: "other", prompt: Array(40).fill(165) })).toBe(400);
    expect(await ask({ model: "tiny", prompt: [300] })).toBe(400);
    expect(await ask({ model: "other", prompt: [300] })).toBe(200);
    expect((await post("/v1/fim/completions", { model: "tiny", prompt: "a" })).statusCode).toBe(200);
    expect((await post("/v1/fim/completions", { model: "other", prompt: "a" })).statusCode).toBe(400);
  });

  it("for a model that nobody serves is refused with the names there are", async () => {
    const refused = await gateway().post("/v1/chat/completions", { messages, model: "huge" });
    expect(refused.statusCode).toBe(404);
    expect(refused.json()).toMatchObject({
      error: { code: "model_not_found", message: expect.stringContaining("has `tiny`, `small`, `other`, `else`.") },
    });
  });

  it.each(["loading", null] as const)("for a lost model (%s) is refused, and the other is served", async (state) => {
    const { post } = gateway(state);
    const lost = await post("/v1/completions", { prompt: "A", model: "other" });
    expect(lost.statusCode).toBe(503);
    expect(lost.json()).toMatchObject({
      error: { message: expect.stringContaining("The model other is not ready") },
    });
    expect((await post("/v1/completions", { prompt: "A", model: "tiny" })).statusCode).toBe(200);
  });

  it("is answered again by its model's tokens", async () => {
    const script: Script = ({ promptIds }) => [
      {
        tokens: [165],
        text: "A",
        logprobs: [{ token: 165, logprob: -1, top: [] }],
        finish: { reason: "length" },
        usage: { promptTokens: promptIds.length, completionTokens: 1, cachedTokens: 0 },
      },
    ];
    const { post } = gateway("ready", script);
    const ask = () =>
      post("/v1/completions", { prompt: "A", model: "other", logprobs: 0, stream: true }, { "idempotency-key": "k" });
    const [first, again] = [await ask(), await ask()];
    expect(first.body).toContain('"tokens":["A"]');
    expect(again.headers).toMatchObject({ "idempotent-replayed": "true" });
    expect(again.body).toBe(first.body);
  });
});

describe("the endpoints of models", () => {
  it("list them all, each with its own context and readiness", async () => {
    const { data } = (await gateway("loading").get("/v1/models")).json();
    expect(data).toMatchObject([
      { id: "tiny", max_model_len: 64, ready: true, capabilities: { completion_fim: true } },
      { id: "other", max_model_len: 32, ready: false, capabilities: { completion_fim: false } },
    ]);
    expect(data[1].created).toBe(1_800_000_000);
  });

  it("describe one by each of its names", async () => {
    const { get } = gateway();
    expect((await get("/v1/models/else")).json()).toMatchObject({ id: "other", max_model_len: 32 });
    expect((await get("/v1/models/huge")).statusCode).toBe(404);
  });

  it("tokenize by the model that is asked for", async () => {
    const { post, get } = gateway();
    expect((await post("/tokenize", { prompt: "A", model: "other" })).json()).toMatchObject({
      tokens: [165],
      max_model_len: 32,
    });
    expect((await post("/detokenize", { tokens: [165], model: "other" })).json()).toMatchObject({ content: "A" });
    const counted = await post("/v1/messages/count_tokens", { messages, model: "other" });
    expect(counted.json()).toEqual({ input_tokens: 2 });
    const input = await post("/v1/responses/input_tokens", { input: "hi", model: "other" });
    expect(input.json()).toMatchObject({ input_tokens: 2 });
    expect((await get("/tokenizer_info?model=other")).json()).toMatchObject({ vocab_size: 356, model_max_length: 32 });
    expect((await get("/tokenizer_info")).json()).toMatchObject({ vocab_size: 256, model_max_length: 64 });
  });

  it.each<[string, object]>([
    ["/tokenize", { prompt: "A" }],
    ["/detokenize", { tokens: [1] }],
    ["/v1/messages/count_tokens", { messages }],
    ["/v1/responses/input_tokens", { input: "hi" }],
  ])("refuse at %s a model that nobody serves", async (path, body) => {
    expect((await gateway().post(path, { ...body, model: "huge" })).statusCode).toBe(404);
  });
});

describe("readiness", () => {
  it("is each model's; a gateway is ready with one of them", async () => {
    const { get } = gateway("loading");
    const all = await get("/ready");
    expect(all.statusCode).toBe(200);
    expect(all.json()).toEqual({
      status: "ready",
      models: {
        tiny: "ready",
        other: expect.stringContaining("The model other is not ready (coordinator 1: loading)"),
      },
    });
    expect((await get("/ready?model=small")).json()).toEqual({ status: "ready", models: { tiny: "ready" } });
    expect((await get("/ready?model=other")).statusCode).toBe(503);
    expect((await get("/ready?model=huge")).statusCode).toBe(404);
  });

  it("tells why each model is not ready when none is", async () => {
    const { get, statuses } = gateway(null);
    statuses.length = 0;
    const { reason } = (await get("/ready")).json();
    expect(reason).toMatch(/^The model tiny is not ready .*; try again shortly\. The model other is not ready /);
  });

  it("is told with the models by /status", async () => {
    expect((await gateway().get("/status")).json()).toMatchObject({
      gateway: {
        models: [
          { name: "tiny", coordinators: 1, ready: 1 },
          { name: "other", coordinators: 1, ready: 1 },
        ],
      },
      coordinators: [{ coordinator: "1" }, { coordinator: "2" }],
    });
  });
});
