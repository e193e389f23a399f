import { createAnthropic } from "@ai-sdk/anthropic";
import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, type LanguageModel, streamText } from "ai";
import { describe, expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

const baseURL = () => `${cluster.url}/v1`;
const providers = {
  "openai-compatible": (name) =>
    createOpenAICompatible({ name: "rhone", baseURL: baseURL(), includeUsage: true })(name),
  mistral: (name) => createMistral({ baseURL: baseURL(), apiKey: "none" })(name),
  anthropic: (name) => createAnthropic({ baseURL: baseURL(), apiKey: "none" })(name),
} satisfies Record<string, (name: string) => LanguageModel>;
const ask = { prompt: "What is the capital of France?", temperature: 0, maxOutputTokens: 24, maxRetries: 0 };

describe.each(Object.entries(providers))("@ai-sdk/%s", (_, modelOf) => {
  test("generates the same text whole and streamed, with its usage", async () => {
    const whole = await generateText({ model: modelOf("breeze"), ...ask });
    expect(whole.text).toMatch(/Paris/);
    expect(whole.finishReason).toBe("stop");
    const streamed = streamText({ model: modelOf("breeze"), ...ask });
    expect(await streamed.text).toBe(whole.text);
    expect((await streamed.usage).totalTokens).toBe(whole.usage.totalTokens);
  });

  test("shows the message of a refusal", async () => {
    const refused = await generateText({ model: modelOf("no-such"), ...ask }).catch((error) => error);
    expect(APICallError.isInstance(refused)).toBe(true);
    expect(refused).toMatchObject({ statusCode: 404, message: expect.stringContaining("no-such") });
  });

  test("ends the generation when it is aborted", async () => {
    const abort = new AbortController();
    const { textStream } = streamText({
      model: modelOf("breeze"),
      ...ask,
      prompt: "Tell me a story.",
      abortSignal: abort.signal,
    });
    for await (const _ of textStream) abort.abort();
    await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
  });
});

test.each(["mistral", "anthropic"] as const)(
  "@ai-sdk/%s has an assistant message at the end continued",
  async (name) => {
    const messages = [
      { role: "user" as const, content: "What is the capital of France?" },
      { role: "assistant" as const, content: "The capital of" },
    ];
    const { prompt: _, ...options } = ask;
    const { text } = await generateText({ ...options, messages, model: providers[name]("breeze") });
    expect(text).toMatch(/France is Paris/);
  },
);
