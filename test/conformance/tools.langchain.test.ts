import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, type AIMessageChunk, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatMistralAI } from "@langchain/mistralai";
import { ChatOpenAI } from "@langchain/openai";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

const common = { apiKey: "none", model: "breeze", temperature: 0, maxTokens: ROOM, maxRetries: 0 };
const clients: Record<string, () => BaseChatModel> = {
  "@langchain/openai": () => new ChatOpenAI({ ...common, configuration: { baseURL: `${cluster.url}/v1` } }),
  "@langchain/openai by responses": () =>
    new ChatOpenAI({ ...common, useResponsesApi: true, configuration: { baseURL: `${cluster.url}/v1` } }),
  "@langchain/mistralai": () => new ChatMistralAI({ ...common, serverURL: cluster.url }),
};
const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const weather = tool(() => "22 degrees", { name: "weather", description: "Forecast", schema: Place });
const question = new HumanMessage("What is the capital of France?");

function bound(client: BaseChatModel, tool_choice: string) {
  if (client.bindTools === undefined) throw new Error("the client binds no tools");
  return client.bindTools([weather], { tool_choice });
}

/** The client drops `required` where it asks for responses. */
const choiceOf = (name: string) => (name.endsWith("by responses") ? "weather" : "any");

describe.each(Object.entries(clients))("%s", (name, clientOf) => {
  test("makes a call, and goes on with its result", async () => {
    const answer = await bound(clientOf(), choiceOf(name)).invoke([question]);
    expect(answer.tool_calls?.length).toBeGreaterThan(0);
    const results: ToolMessage[] = [];
    for (const call of answer.tool_calls ?? []) {
      Place.parse(call.args);
      results.push(new ToolMessage({ tool_call_id: call.id ?? "", name: call.name, content: "22 degrees" }));
    }
    const second = await bound(clientOf(), "none").invoke([question, answer, ...results]);
    expect(second.text.length).toBeGreaterThan(0);
    expect(second.tool_calls).toEqual([]);
  });

  test("streams the same calls", async () => {
    const whole = await bound(clientOf(), choiceOf(name)).invoke([question]);
    let sum: AIMessageChunk | undefined;
    for await (const chunk of await bound(clientOf(), choiceOf(name)).stream([question])) {
      sum = sum === undefined ? chunk : sum.concat(chunk);
    }
    const argsOf = (calls: AIMessageChunk["tool_calls"]) => calls?.map(({ name: called, args }) => ({ called, args }));
    expect(argsOf(sum?.tool_calls)).toEqual(argsOf(whole.tool_calls));
  });

  test("answers in words with auto", async () => {
    const answer = await bound(clientOf(), "auto").invoke([question], { stop: ["\n"] });
    expect(answer.tool_calls).toEqual([]);
    expect(answer.text.length).toBeGreaterThan(0);
  });
});

test.each([
  ["@langchain/openai", "functionCalling"],
  ["@langchain/openai", "jsonSchema"],
  ["@langchain/openai by responses", "functionCalling"],
  ["@langchain/openai by responses", "jsonSchema"],
  ["@langchain/mistralai", "functionCalling"],
] as const)("%s gives structured output by %s", async (name, method) => {
  const client = clients[name]?.();
  Place.parse(await client?.withStructuredOutput(Place, { name: "place", method }).invoke([question]));
});

test.each(["@langchain/openai", "@langchain/openai by responses", "@langchain/mistralai"])(
  "%s has parallel calls answered",
  async (name) => {
    const calls = ["Paris", "Lyon"].map((city, index) => ({ id: `callplace${index}`.slice(-9), city }));
    const made = new AIMessage({
      content: "",
      tool_calls: calls.map(({ id, city }) => ({ id, name: "weather", args: { city, days: 1 } })),
    });
    const results = calls.map(
      ({ id }) => new ToolMessage({ tool_call_id: id, name: "weather", content: "22 degrees" }),
    );
    const client = clients[name]?.();
    if (client === undefined) throw new Error(`no client is called ${name}`);
    const answer = await bound(client, "none").invoke([question, made, ...results]);
    expect(answer.text.length).toBeGreaterThan(0);
  },
);
