import { describe, expect, it } from "vitest";
import { embeddingRequestSchema } from "../requests/prepare-embeddings.js";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";

const EMBEDDINGS = "/v1/embeddings";

const base64 = (values: readonly number[]): string => Buffer.from(Float32Array.from(values).buffer).toString("base64");

/** The vector of a prompt is its length and its last token. */
const vectorOf = (promptIds: readonly number[]): readonly number[] => [promptIds.length, promptIds.at(-1) ?? 0, 0, 0.5];

const embed: Script = ({ promptIds }) => [
  {
    tokens: [],
    text: "",
    embedding: base64(vectorOf(promptIds)),
    finish: { reason: "length" },
    usage: { promptTokens: promptIds.length, completionTokens: 0, cachedTokens: 0 },
  },
];

describe("POST /v1/embeddings", () => {
  it("answers a vector per input in their order, and says how they were pooled", async () => {
    const { post, jobs } = fakeGateway(embed);
    const response = await post(EMBEDDINGS, { model: "tiny", input: ["ab", "c"], user: "me", encoding_format: null });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      id: expect.stringMatching(/^embd-/),
      object: "list",
      model: "tiny",
      pooling: "mean",
      normalized: true,
      data: [
        { object: "embedding", index: 0, embedding: [3, 98, 0, 0.5] },
        { object: "embedding", index: 1, embedding: [2, 99, 0, 0.5] },
      ],
      usage: { prompt_tokens: 5, total_tokens: 5 },
    });
    expect(jobs.map(({ pooling, maxTokens, cachePrompt }) => ({ pooling, maxTokens, cachePrompt }))).toEqual(
      Array.from({ length: 2 }, () => ({ pooling: "mean", maxTokens: 0, cachePrompt: false })),
    );
  });

  it("gives little-endian f32 as base64 when asked", async () => {
    const { post } = fakeGateway(embed);
    const response = await post(EMBEDDINGS, { input: "ab", encoding_format: "base64" });
    expect(response.json().data).toEqual([{ object: "embedding", index: 0, embedding: base64([3, 98, 0, 0.5]) }]);
  });

  it.each([
    { what: "a text", input: "ab", prompts: [[32, 97, 98]] },
    { what: "texts", input: ["a"], prompts: [[32, 97]] },
    { what: "token ids", input: [5, 6], prompts: [[5, 6]] },
    { what: "lists of token ids", input: [[5], [6, 7]], prompts: [[5], [6, 7]] },
  ])("takes $what", async ({ input, prompts }) => {
    const { post, jobs } = fakeGateway(embed);
    expect((await post(EMBEDDINGS, { input })).statusCode).toBe(200);
    expect(jobs.map(({ promptIds }) => promptIds)).toEqual(prompts);
  });

  it.each([
    { what: "no input", body: {}, param: "input" },
    { what: "an empty text", body: { input: "" }, param: "input" },
    { what: "an empty list", body: { input: [] }, param: "input" },
    { what: "an empty text among others", body: { input: ["a", ""] }, param: "input.1" },
    { what: "texts and ids together", body: { input: ["a", 5] }, param: "input" },
    { what: "an id outside the vocabulary", body: { input: [[5], [256]] }, param: "input.1" },
    { what: "another encoding", body: { input: "a", encoding_format: "int8" }, param: "encoding_format" },
    { what: "fewer dimensions", body: { input: "a", dimensions: 2 }, param: "dimensions" },
    { what: "fewer dimensions, Mistral's way", body: { input: "a", output_dimension: 2 }, param: "output_dimension" },
    { what: "another type", body: { input: "a", output_dtype: "int8" }, param: "output_dtype" },
  ])("refuses $what", async ({ body, param }) => {
    const { post, jobs } = fakeGateway(embed);
    const response = await post(EMBEDDINGS, body);
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ type: "invalid_request_error", param });
    expect(jobs).toEqual([]);
  });

  it("takes 2048 inputs and no more", () => {
    const reads = (inputs: number) => embeddingRequestSchema.safeParse({ input: Array(inputs).fill("a") }).success;
    expect([reads(2048), reads(2049)]).toEqual([true, false]);
  });

  it("takes the dimensions and the type that it has", async () => {
    const { post } = fakeGateway(embed);
    const body = { input: "a", dimensions: 4, output_dimension: 4, output_dtype: "float" };
    expect((await post(EMBEDDINGS, body)).statusCode).toBe(200);
  });

  it("names the input that the context does not hold; one that fills it is taken, or cut when asked", async () => {
    const { post, jobs } = fakeGateway(embed);
    const [fits, long] = [Array(64).fill(7), Array(65).fill(7)];
    const refused = await post(EMBEDDINGS, { input: [fits, long] });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().error).toMatchObject({
      param: "input.1",
      code: "context_length_exceeded",
      message: "input.1 has 65 tokens; this model's maximum context length is 64. Shorten input.1.",
    });
    expect((await post(EMBEDDINGS, { input: fits })).statusCode).toBe(200);
    expect((await post(EMBEDDINGS, { input: long, truncate_prompt_tokens: 64 })).statusCode).toBe(200);
    expect(jobs.map(({ promptIds }) => promptIds.length)).toEqual([64, 64]);
  });

  it("answers more inputs than are in the queue at a time", async () => {
    const { post } = fakeGateway(embed);
    const response = await post(EMBEDDINGS, { input: Array.from({ length: 150 }, (_, i) => [i]) });
    const data = response.json().data as { readonly index: number; readonly embedding: readonly number[] }[];
    expect(data.map(({ index, embedding }) => [index, embedding[1]])).toEqual(data.map((_, i) => [i, i]));
    expect(data).toHaveLength(150);
  });
});
