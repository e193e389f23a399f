import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatMistralAI } from "@langchain/mistralai";
import { ChatOpenAI, OpenAI } from "@langchain/openai";
import { describe, expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

const common = { apiKey: "none", temperature: 0, maxTokens: 24, maxRetries: 0 };
const clients: Record<string, (model: string) => BaseChatModel> = {
  "@langchain/openai": (model: string) =>
    new ChatOpenAI({ ...common, model, configuration: { baseURL: `${cluster.url}/v1` } }),
  "@langchain/openai by responses": (model: string) =>
    new ChatOpenAI({ ...common, model, useResponsesApi: true, configuration: { baseURL: `${cluster.url}/v1` } }),
  "@langchain/mistralai": (model: string) => new ChatMistralAI({ ...common, model, serverURL: cluster.url }),
};

describe.each(Object.entries(clients))("%s", (_, clientOf) => {
  test("answers the same whole and streamed, with the usage", async () => {
    const whole = await clientOf("breeze").invoke("What is the capital of France?");
    expect(whole.text).toMatch(/Paris/);
    expect(whole).toMatchObject({ usage_metadata: { total_tokens: expect.any(Number) } });
    let text = "";
    for await (const chunk of await clientOf("breeze").stream("What is the capital of France?")) text += chunk.text;
    expect(text).toBe(whole.text);
  });

  test("throws what the server refuses", async () => {
    await expect(clientOf("no-such").invoke("Hi")).rejects.toThrow(/no-such/);
  });
});

test("@langchain/openai completes texts", async () => {
  const client = new OpenAI({ ...common, model: "breeze", configuration: { baseURL: `${cluster.url}/v1` } });
  expect((await client.invoke("The capital of France")).length).toBeGreaterThan(0);
});
