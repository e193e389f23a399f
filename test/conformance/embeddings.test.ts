import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import type { Embeddings } from "@langchain/core/embeddings";
import { MistralAIEmbeddings } from "@langchain/mistralai";
import { OpenAIEmbeddings } from "@langchain/openai";
import { Mistral } from "@mistralai/mistralai";
import { cosineSimilarity, type EmbeddingModel, embed, embedMany } from "ai";
import OpenAI, { BadRequestError } from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const model = "breeze";
const TEXTS = ["What is the capital of France?", "What is the capital of Germany?", "Tell me a story."];
/** Cosine of equal texts. They share their steps with different rows each time, so rounding differs. */
const SAME = 0.999;

const cluster = await sharedCluster();
const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });
/** TEXTS as the openai SDK gets them when it names no format: it asks for base64. */
let vectors: readonly (readonly number[])[];
beforeAll(async () => {
  const { data } = await client.embeddings.create({ model, input: TEXTS });
  vectors = data.map(({ embedding }) => embedding);
});

const likeness = (a: readonly number[] | undefined, b: readonly number[] | undefined): number =>
  cosineSimilarity([...(a ?? [])], [...(b ?? [])]);

/** Expects each vector to equal the openai SDK's for the same text. */
function expectSame(others: readonly (readonly number[] | undefined)[]): void {
  expect(others).toHaveLength(TEXTS.length);
  for (const [i, other] of others.entries()) expect(likeness(vectors[i], other)).toBeGreaterThan(SAME);
}

describe("openai", () => {
  test("gets unit vectors, like for like texts", () => {
    expect(vectors).toHaveLength(TEXTS.length);
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    const [france, germany, story] = vectors;
    expect(likeness(france, germany)).toBeGreaterThan(likeness(france, story));
  });

  test("gets the same as floats, of one text and of its token ids", async () => {
    const floats = await client.embeddings.create({ model, input: TEXTS, encoding_format: "float" });
    expectSame(floats.data.map(({ embedding }) => embedding));
    const [text = ""] = TEXTS;
    const { tokens } = await cluster.ask<{ tokens: number[] }>("/tokenize", { prompt: text });
    const one = await client.embeddings.create({ model, input: text });
    const byIds = await client.embeddings.create({ model, input: [tokens, tokens] });
    expect(byIds.data).toHaveLength(2);
    for (const { embedding } of [...one.data, ...byIds.data]) {
      expect(likeness(vectors[0], embedding)).toBeGreaterThan(SAME);
    }
    expect(one.usage).toMatchObject({ prompt_tokens: tokens.length, total_tokens: tokens.length });
  });

  test("is told which input is too long, and that dimensions can't be chosen", async () => {
    const input = ["short", "a b ".repeat(9000)];
    const long = await client.embeddings.create({ model, input }).catch((error) => error);
    expect(long).toBeInstanceOf(BadRequestError);
    expect(long).toMatchObject({ param: "input.1", code: "context_length_exceeded" });
    const cut = await client.embeddings.create({ model, input: "a", dimensions: 2 }).catch((error) => error);
    expect(cut).toMatchObject({ status: 400, param: "dimensions", code: "unsupported_parameter" });
  });

  test("gets embeddings out of a batch", async () => {
    const lines = TEXTS.map((input, i) => ({
      custom_id: String(i),
      method: "POST",
      url: "/v1/embeddings",
      body: { model, input },
    }));
    const jsonl = lines.map((line) => JSON.stringify(line)).join("\n");
    const file = await client.files.create({ file: new File([jsonl], "in.jsonl"), purpose: "batch" });
    const options = { input_file_id: file.id, completion_window: "24h" } as const;
    const { id } = await client.batches.create({ ...options, endpoint: "/v1/embeddings" });
    await expect
      .poll(async () => (await client.batches.retrieve(id)).status, { timeout: 60_000, interval: 200 })
      .toBe("completed");
    const { output_file_id } = await client.batches.retrieve(id);
    const output = await (await client.files.content(output_file_id ?? "")).text();
    const results = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
      .toSorted((a, b) => a.custom_id - b.custom_id);
    expectSame(results.map(({ response }) => response.body.data[0].embedding));
  });
});

test("@mistralai/mistralai gets the same, with the usage", async () => {
  const mistral = new Mistral({ serverURL: cluster.url, apiKey: "none" });
  const response = await mistral.embeddings.create({ model, inputs: TEXTS });
  expectSame(response.data.map(({ embedding }) => embedding));
  expect(response.usage.promptTokens).toBeGreaterThan(TEXTS.length);
  expect(response.usage.totalTokens).toBe(response.usage.promptTokens);
  const request = { model, inputs: "a", outputDtype: "int8" } as const;
  const refused = await mistral.embeddings.create(request).catch((error) => error);
  expect(refused).toMatchObject({ statusCode: 400, body: expect.stringContaining("output_dtype") });
});

const providers: Record<string, () => EmbeddingModel> = {
  "openai-compatible": () =>
    createOpenAICompatible({ name: "rhone", baseURL: `${cluster.url}/v1` }).textEmbeddingModel(model),
  mistral: () => createMistral({ baseURL: `${cluster.url}/v1`, apiKey: "none" }).textEmbeddingModel(model),
};

test.each(Object.entries(providers))("@ai-sdk/%s gets the same, one by one and together", async (_, modelOf) => {
  const { embeddings, usage } = await embedMany({ model: modelOf(), values: TEXTS, maxRetries: 0 });
  expectSame(embeddings);
  const single = await embed({ model: modelOf(), value: TEXTS[0] ?? "", maxRetries: 0 });
  expect(likeness(vectors[0], single.embedding)).toBeGreaterThan(SAME);
  expect(usage.tokens).toBeGreaterThan(single.usage.tokens);
});

const langchain: Record<string, () => Embeddings> = {
  "@langchain/openai": () =>
    new OpenAIEmbeddings({ model, apiKey: "none", maxRetries: 0, configuration: { baseURL: `${cluster.url}/v1` } }),
  "@langchain/mistralai": () =>
    new MistralAIEmbeddings({ model, apiKey: "none", maxRetries: 0, serverURL: cluster.url }),
};

test.each(Object.entries(langchain))("%s embeds documents and queries the same", async (_, clientOf) => {
  expectSame(await clientOf().embedDocuments([...TEXTS]));
  expect(likeness(vectors[0], await clientOf().embedQuery(TEXTS[0] ?? ""))).toBeGreaterThan(SAME);
});
