import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });

const model = "breeze";
const messages = [{ role: "user" as const, content: "What is the capital of France?" }];
const greedy = { model, messages, temperature: 0, max_tokens: 24 };

test("models are listed and retrieved", async () => {
  const { data } = await client.models.list();
  expect((await client.models.retrieve(data[0]?.id ?? "")).id).toBe(data[0]?.id);
});

test("a chat is answered the same whole, streamed and through the stream helper", async () => {
  const { data, request_id } = await client.chat.completions.create(greedy).withResponse();
  expect(data.choices[0]?.message.content).toMatch(/Paris/);
  expect(request_id).toMatch(/^[0-9a-f]{32}$/);
  const stream = await client.chat.completions.create({ ...greedy, stream: true });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  expect(text).toBe(data.choices[0]?.message.content);
  const options = { stream_options: { include_usage: true } };
  const final = await client.chat.completions.stream({ ...greedy, ...options }).finalChatCompletion();
  expect(final.choices[0]?.message.content).toBe(text);
  expect(final.usage).toEqual(data.usage);
});

test("log-probabilities come whole and streamed, the drawn token among the alternatives", async () => {
  const wanted = { ...greedy, logprobs: true, top_logprobs: 3 };
  const whole = await client.chat.completions.create(wanted);
  const content = whole.choices[0]?.logprobs?.content ?? [];
  expect(content.map(({ token }) => token).join("")).toBe(whole.choices[0]?.message.content);
  for (const { token, logprob, top_logprobs } of content) {
    expect(top_logprobs).toHaveLength(3);
    expect(top_logprobs[0]).toMatchObject({ token, logprob });
  }
  const streamed = [];
  for await (const { choices } of await client.chat.completions.create({ ...wanted, stream: true })) {
    streamed.push(...(choices[0]?.logprobs?.content ?? []));
  }
  expect(streamed.map(({ token }) => token)).toEqual(content.map(({ token }) => token));
});

test("n, seed, stop and best_of are obeyed", async () => {
  const drawn = { model, messages, n: 3, seed: 5, max_tokens: 8, temperature: 1.5 };
  const [first, second] = [await client.chat.completions.create(drawn), await client.chat.completions.create(drawn)];
  const texts = first.choices.map(({ message }) => message.content);
  expect(second.choices.map(({ message }) => message.content)).toEqual(texts);
  expect(texts).toHaveLength(3);
  const stopped = await client.chat.completions.create({ ...greedy, stop: ["Paris"] });
  expect(stopped.choices[0]).toMatchObject({ finish_reason: "stop" });
  expect(stopped.choices[0]?.message.content).not.toContain("Paris");
  const several = { model, prompt: "The", max_tokens: 4, ignore_eos: true, best_of: 4, n: 2, logprobs: 0 };
  const best = await client.completions.create(several);
  const means = best.choices.map(({ logprobs }) => {
    const values = logprobs?.token_logprobs ?? [];
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
  expect(means[0]).toBeGreaterThanOrEqual(means[1] ?? 0);
  expect(best.usage?.completion_tokens).toBe(16);
});

test("completions are streamed, and prompts are token ids as well", async () => {
  const whole = await client.completions.create({ model, prompt: "The", max_tokens: 6, temperature: 0 });
  let text = "";
  const stream = await client.completions.create({ model, prompt: "The", max_tokens: 6, temperature: 0, stream: true });
  for await (const { choices } of stream) text += choices[0]?.text ?? "";
  expect(text).toBe(whole.choices[0]?.text);
  const { tokens } = await cluster.ask<{ tokens: number[] }>("/tokenize", { prompt: "The" });
  const byIds = await client.completions.create({ model, prompt: tokens, max_tokens: 6, temperature: 0 });
  expect(byIds.choices[0]?.text).toBe(text);
});

test("refusals become the SDK's own errors, with param, code and request id", async () => {
  const refused = await client.chat.completions.create({ ...greedy, temperature: 3 }).catch((error) => error);
  expect(refused).toBeInstanceOf(BadRequestError);
  expect(refused).toMatchObject({ status: 400, param: "temperature", code: "invalid_value" });
  expect(refused.requestID).toMatch(/^[0-9a-f]{32}$/);
  const unknown = await client.chat.completions.create({ ...greedy, model: "no-such" }).catch((error) => error);
  expect(unknown).toBeInstanceOf(NotFoundError);
  const long = {
    ...greedy,
    stream: true as const,
    messages: [{ role: "user" as const, content: "a b ".repeat(9000) }],
  };
  const tooLong = await client.chat.completions.create(long).catch((error) => error);
  expect(tooLong).toMatchObject({ status: 400, code: "context_length_exceeded" });
});

test("leaving a stream, or aborting it, ends the generation", async () => {
  const endless = { model, prompt: "The", max_tokens: 400, stream: true as const, ignore_eos: true };
  const { generated } = (await cluster.status()).tokens;
  for await (const _ of await client.completions.create(endless)) break;
  const abort = new AbortController();
  const stream = await client.completions.create(endless, { signal: abort.signal });
  for await (const _ of stream) abort.abort();
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
  expect((await cluster.status()).tokens.generated).toBeLessThan(generated + 2 * 400);
});
