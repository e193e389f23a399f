import { Mistral } from "@mistralai/mistralai";
import type { ChatCompletionRequest } from "@mistralai/mistralai/models/components/index.js";
import { expect, test } from "vitest";
import { z } from "zod";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const client = new Mistral({ serverURL: cluster.url, apiKey: "none" });

const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const weather = {
  name: "weather",
  description: "Forecast",
  parameters: z.toJSONSchema(Place) as Record<string, unknown>,
};
const tools = [{ type: "function" as const, function: weather }];
const messages = [{ role: "user" as const, content: "What is the capital of France?" }];
const common = { model: "breeze", maxTokens: ROOM, randomSeed: 3 };
const asked: ChatCompletionRequest = { ...common, messages, tools, toolChoice: "any" };

const objectOf = (args: unknown) => (typeof args === "string" ? JSON.parse(args) : args);

test("any makes calls, whose results are taken with arguments as text and as an object", async () => {
  const { choices } = await client.chat.complete(asked);
  const message = choices[0]?.message;
  expect(choices[0]?.finishReason).toBe("tool_calls");
  const calls = message?.toolCalls ?? [];
  expect(calls.length).toBeGreaterThan(0);
  for (const call of calls) Place.parse(objectOf(call.function.arguments));
  for (const shape of [(args: unknown) => args, objectOf]) {
    const toolCalls = calls.map((call) => ({
      ...call,
      function: { ...call.function, arguments: shape(call.function.arguments) },
    }));
    const results = calls.map(({ id }) => ({
      role: "tool" as const,
      name: "weather",
      toolCallId: id ?? "",
      content: "22",
    }));
    const turns = [...messages, { role: "assistant" as const, content: "", toolCalls }, ...results];
    const second = await client.chat.complete({ ...common, messages: turns, tools, toolChoice: "none", maxTokens: 24 });
    expect(second.choices[0]?.message?.content?.length).toBeGreaterThan(0);
  }
});

test("a named function is called once if calls may not be parallel", async () => {
  const toolChoice = { type: "function" as const, function: { name: "weather" } };
  const { choices } = await client.chat.complete({ ...asked, toolChoice, parallelToolCalls: false });
  expect(choices[0]?.message?.toolCalls).toHaveLength(1);
});

test("streamed calls are those of the whole answer", async () => {
  const whole = await client.chat.complete(asked);
  const calls = [];
  let finish: string | null | undefined;
  for await (const { data } of await client.chat.stream(asked)) {
    calls.push(...(data.choices[0]?.delta.toolCalls ?? []));
    finish = data.choices[0]?.finishReason ?? finish;
  }
  expect(finish).toBe("tool_calls");
  expect(calls.map((call) => call.function)).toEqual(
    whole.choices[0]?.message?.toolCalls?.map((call) => call.function),
  );
});

test("auto and none answer in words", async () => {
  for (const toolChoice of ["auto", "none"] as const) {
    const { choices } = await client.chat.complete({ ...asked, toolChoice, temperature: 0, maxTokens: 24 });
    expect(choices[0]?.finishReason).not.toBe("tool_calls");
    expect(choices[0]?.message?.content?.length).toBeGreaterThan(0);
  }
});

test("chat.parse reads an answer by a zod schema", async () => {
  const { choices } = await client.chat.parse({ ...common, messages, responseFormat: Place });
  Place.parse(choices?.[0]?.message?.parsed);
});
