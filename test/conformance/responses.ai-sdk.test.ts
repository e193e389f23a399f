import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateObject, generateText, stepCountIs, streamText, type ToolSet, tool } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

/** The provider's default model speaks the Responses API. */
const modelOf = (name = "breeze") => createOpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none" })(name);

const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const ask = { prompt: "What is the capital of France?", temperature: 0, maxOutputTokens: 24, maxRetries: 0 };
const long = { ...ask, temperature: 1, maxOutputTokens: ROOM };
// Its own type does not fit under exactOptionalPropertyTypes.
const shown = { weather: tool({ description: "Forecast", inputSchema: Place }) } as unknown as ToolSet;

test("the model is one of responses", () => {
  expect(modelOf().provider).toBe("openai.responses");
});

test("generates the same text whole and streamed, with its usage", async () => {
  const whole = await generateText({ model: modelOf(), ...ask });
  expect(whole.text).toMatch(/Paris/);
  expect(whole.finishReason).toBe("stop");
  const streamed = streamText({ model: modelOf(), ...ask });
  expect(await streamed.text).toBe(whole.text);
  expect((await streamed.usage).totalTokens).toBe(whole.usage.totalTokens);
  expect(await streamed.finishReason).toBe("stop");
});

test("an answer that is cut has the finish reason length", async () => {
  const { finishReason } = await generateText({ model: modelOf(), ...ask, maxOutputTokens: 2 });
  expect(finishReason).toBe("length");
});

test.each([["required" as const], [{ type: "tool" as const, toolName: "weather" }]])(
  "makes a call with the choice %j, whole and streamed",
  async (toolChoice) => {
    const whole = await generateText({ model: modelOf(), ...long, tools: shown, toolChoice });
    expect(whole.finishReason).toBe("tool-calls");
    for (const { input } of whole.toolCalls) Place.parse(input);
    expect(whole.toolCalls.length).toBeGreaterThan(0);
    const streamed = streamText({ model: modelOf(), ...long, tools: shown, toolChoice });
    for (const { input } of await streamed.toolCalls) Place.parse(input);
    expect(await streamed.finishReason).toBe("tool-calls");
  },
);

test("runs the function and goes on with its result", async () => {
  const inputs: unknown[] = [];
  const execute = async (input: unknown) => {
    inputs.push(input);
    return { degrees: 22 };
  };
  const tools = { weather: tool({ description: "Forecast", inputSchema: Place, execute }) };
  const { steps } = await generateText({
    model: modelOf(),
    ...long,
    tools,
    toolChoice: "required",
    stopWhen: stepCountIs(2),
  });
  expect(steps).toHaveLength(2);
  expect(inputs.length).toBeGreaterThan(0);
});

test("an earlier answer is sent as a reference to its item", async () => {
  const first = await generateText({ model: modelOf(), ...ask });
  const { prompt, ...options } = ask;
  const earlier = [{ role: "user" as const, content: prompt }, ...first.response.messages];
  const messages = [...earlier, { role: "user" as const, content: "And of Spain?" }];
  const { text, request } = await generateText({ model: modelOf(), ...options, messages });
  expect(JSON.stringify(request.body)).toContain("item_reference");
  const unstored = { providerOptions: { openai: { store: false } } };
  expect((await generateText({ model: modelOf(), ...options, messages, ...unstored })).text).toBe(text);
});

test("goes on from a previous response", async () => {
  const first = await generateText({ model: modelOf(), ...ask });
  const previousResponseId = String(first.providerMetadata?.openai?.responseId);
  const providerOptions = { openai: { previousResponseId } };
  const second = await generateText({ model: modelOf(), ...ask, prompt: "And of Spain?", providerOptions });
  expect(second.usage.inputTokens).toBeGreaterThan(first.usage.inputTokens ?? 0);
});

test("generates an object that satisfies its schema", async () => {
  const { object } = await generateObject({ model: modelOf(), ...long, schema: Place });
  Place.parse(object);
});

test("log-probabilities are among the metadata", async () => {
  const providerOptions = { openai: { logprobs: 2 } };
  const { providerMetadata } = await generateText({ model: modelOf(), ...ask, providerOptions });
  expect(JSON.stringify(providerMetadata?.openai?.logprobs)).toContain("logprob");
});

test("shows the message of a refusal", async () => {
  const refused = await generateText({ model: modelOf("no-such"), ...ask }).catch((error) => error);
  expect(APICallError.isInstance(refused)).toBe(true);
  expect(refused).toMatchObject({ statusCode: 404, message: expect.stringContaining("no-such") });
});

test("ends the generation when it is aborted", async () => {
  const abort = new AbortController();
  const story = { ...ask, prompt: "Tell me a story.", maxOutputTokens: 400 };
  const { textStream } = streamText({ model: modelOf(), ...story, abortSignal: abort.signal });
  for await (const _ of textStream) abort.abort();
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
});
