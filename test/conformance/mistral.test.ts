import { Mistral } from "@mistralai/mistralai";
import { expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const client = new Mistral({ serverURL: cluster.url, apiKey: "none" });

const model = "breeze";
const messages = [{ role: "user" as const, content: "What is the capital of France?" }];
const greedy = { model, messages, temperature: 0, maxTokens: 24 };

test("a chat is answered the same whole and streamed, with usage at the end", async () => {
  const whole = await client.chat.complete(greedy);
  expect(whole.choices[0]?.message?.content).toMatch(/Paris/);
  let text = "";
  let total: number | undefined;
  for await (const { data } of await client.chat.stream(greedy)) {
    text += data.choices[0]?.delta.content ?? "";
    total = data.usage?.totalTokens ?? total;
  }
  expect(text).toBe(whole.choices[0]?.message?.content);
  expect(total).toBe(whole.usage.totalTokens);
});

test("randomSeed, safePrompt, stop and prefix are obeyed", async () => {
  const drawn = { model, messages, randomSeed: 9, maxTokens: 8, temperature: 1 };
  const [first, second] = [await client.chat.complete(drawn), await client.chat.complete(drawn)];
  expect(second.choices[0]?.message?.content).toBe(first.choices[0]?.message?.content);
  const safe = await client.chat.complete({ ...greedy, safePrompt: true });
  expect(safe.usage.promptTokens).toBeGreaterThan(first.usage.promptTokens ?? 0);
  const open = [...messages, { role: "assistant" as const, content: "The capital of", prefix: true }];
  const continued = await client.chat.complete({ ...greedy, messages: open });
  expect(continued.choices[0]?.message?.content).toMatch(/^The capital of France is Paris/);
});

test("models are listed", async () => {
  const { data } = await client.models.list();
  expect(data).toHaveLength(1);
});

test("refusals are its errors, with the message", async () => {
  const refused = await client.chat.complete({ ...greedy, temperature: 3 }).catch((error) => error);
  expect(refused).toMatchObject({ statusCode: 400 });
  expect(refused.body).toContain("temperature");
  const fim = await client.fim.complete({ model, prompt: "def f(", suffix: "return" }).catch((error) => error);
  expect(fim).toMatchObject({ statusCode: 400, body: expect.stringContaining("[SUFFIX]") });
});
