import type OpenAI from "openai";
import { BadRequestError } from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { expect, test } from "vitest";
import { ROOM } from "../cluster/shared-cluster.js";
import { keepsTo } from "../schemas/keeps-to.js";
import * as official from "../schemas/openai-responses.js";
import {
  type Create,
  client,
  endless,
  greedy,
  lastOf,
  model,
  Place,
  plain,
  type Response,
  streamed,
  weather,
} from "./openai-responses.js";

// What a response says. kept-responses.openai.test.ts has what remains of it.

/** Texts and calls, without ids. */
const contentOf = (output: Response["output"]) =>
  output.map((item) => {
    if (item.type === "message") return item.content.map((part) => (part.type === "output_text" ? part.text : part));
    return item.type === "function_call" ? { name: item.name, arguments: item.arguments } : item;
  });

test.each<[string, object]>([
  ["a text", {}],
  [
    "messages with parts",
    { input: [{ role: "user", content: [{ type: "input_text", text: "What is the capital of France?" }] }] },
  ],
  ["instructions", { instructions: "Answer briefly." }],
  [
    "an earlier exchange",
    {
      input: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello!" },
        { role: "user", content: "Go on." },
      ],
    },
  ],
  ["log-probabilities", { include: ["message.output_text.logprobs"], top_logprobs: 2 }],
  ["few tokens", { max_output_tokens: 2 }],
  [
    "a JSON schema",
    {
      text: {
        format: {
          type: "json_schema",
          name: "answer",
          strict: true,
          schema: {
            type: "object",
            properties: { city: { enum: ["Paris"] } },
            required: ["city"],
            additionalProperties: false,
          },
        },
      },
      max_output_tokens: 200,
    },
  ],
  ["JSON", { text: { format: { type: "json_object" } }, max_output_tokens: ROOM }],
  ["a call", { tools: [weather], tool_choice: "required", seed: 3, temperature: 1, max_output_tokens: ROOM }],
  [
    "a named call",
    {
      tools: [weather],
      tool_choice: { type: "function", name: "weather" },
      parallel_tool_calls: false,
      seed: 3,
      max_output_tokens: ROOM,
    },
  ],
  [
    "labels",
    {
      metadata: { a: "b" },
      user: "u",
      safety_identifier: "s",
      prompt_cache_key: "k",
      service_tier: "auto",
      store: false,
      truncation: "auto",
    },
  ],
])("a response to %s keeps to the official description, whole and in every event", async (_, fields) => {
  const whole = await client.responses.create({ ...greedy, ...fields });
  keepsTo(plain(whole), official.response);
  const events = await streamed({ ...greedy, ...fields });
  expect(events.slice(0, 2).map(({ name }) => name)).toEqual(["response.created", "response.in_progress"]);
  const last = lastOf(events);
  expect(last.status).toBe(whole.status);
  expect(contentOf(last.output)).toEqual(contentOf(whole.output));
  const final = await client.responses.stream({ ...greedy, ...fields }).finalResponse();
  expect(final.output_text).toBe(whole.output_text);
});

test("the events of a text come in the official order, and its deltas make the text", async () => {
  const events = await streamed(greedy);
  const names = events.map(({ name }) => name).filter((name, at, all) => name !== all[at - 1]);
  expect(names).toEqual([
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  const deltas = events.flatMap(({ data }) => (data.type === "response.output_text.delta" ? [data.delta] : []));
  const [item] = lastOf(events).output;
  expect(item).toMatchObject({ type: "message", status: "completed", content: [{ text: deltas.join("") }] });
});

test("the events of a call come in the official order, and the call satisfies its schema", async () => {
  const asked = {
    ...greedy,
    tools: [weather],
    tool_choice: "required",
    parallel_tool_calls: false,
    max_output_tokens: ROOM,
  };
  const events = await streamed({ ...asked, seed: 3, temperature: 1 });
  expect(events.slice(2, -1).map(({ name }) => name)).toEqual([
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
  ]);
  const [call] = lastOf(events).output;
  Place.parse(JSON.parse((call as OpenAI.Responses.ResponseFunctionToolCall).arguments));
});

test("the answer is the same as the chat's, with the same usage", async () => {
  const chat = await client.chat.completions.create({
    ...{ model, temperature: 0, max_tokens: 24 },
    messages: [{ role: "user", content: "What is the capital of France?" }],
  });
  const response = await client.responses.create(greedy);
  expect(response.output_text).toBe(chat.choices[0]?.message.content);
  expect(response.output_text).toMatch(/Paris/);
  expect(response.usage).toMatchObject({
    input_tokens: chat.usage?.prompt_tokens,
    output_tokens: chat.usage?.completion_tokens,
    total_tokens: chat.usage?.total_tokens,
  });
});

test("an answer that max_output_tokens cuts is incomplete, and says why", async () => {
  const response = await client.responses.create({ ...endless, max_output_tokens: 2 });
  expect(response).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
  expect(response.usage?.output_tokens).toBe(2);
  expect((await streamed({ ...endless, max_output_tokens: 2 })).at(-1)?.name).toBe("response.incomplete");
});

test("log-probabilities come whole, and with the deltas of a stream", async () => {
  const asked = { ...greedy, include: ["message.output_text.logprobs" as const], top_logprobs: 3 };
  const { output, output_text } = await client.responses.create(asked);
  const [message] = output;
  const part = message?.type === "message" ? message.content[0] : undefined;
  const scores = part?.type === "output_text" ? (part.logprobs ?? []) : [];
  expect(scores.map(({ token }) => token).join("")).toBe(output_text);
  for (const { top_logprobs } of scores) expect(top_logprobs).toHaveLength(3);
  const deltas = (await streamed(asked)).flatMap(({ data }) =>
    data.type === "response.output_text.delta" ? data.logprobs : [],
  );
  expect(deltas.map(({ token }) => token)).toEqual(scores.map(({ token }) => token));
});

test("output is parsed by the SDK's helpers", async () => {
  const format = zodTextFormat(Place, "place");
  const parsed = await client.responses.parse({ ...greedy, text: { format }, max_output_tokens: 200 });
  Place.parse(parsed.output_parsed);
  const called = await client.responses.parse({
    ...greedy,
    tools: [weather],
    tool_choice: "required",
    max_output_tokens: ROOM,
  });
  const [call] = called.output;
  Place.parse(call?.type === "function_call" ? call.parsed_arguments : undefined);
});

test.each<[string, object, string, string]>([
  [
    "an image",
    { input: [{ role: "user", content: [{ type: "input_image", image_url: "x" }] }] },
    "unsupported_content",
    "input.0.content.0.type",
  ],
  [
    "a file",
    { input: [{ role: "user", content: [{ type: "input_file", file_id: "x" }] }] },
    "unsupported_content",
    "input.0.content.0.type",
  ],
  [
    "audio",
    { input: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] },
    "unsupported_content",
    "input.0.content.0.type",
  ],
  [
    "an image of a tool",
    { input: [{ type: "function_call_output", call_id: "c", output: [{ type: "input_image", image_url: "x" }] }] },
    "unsupported_content",
    "input.0.output.0.type",
  ],
  ["a built-in tool", { tools: [{ type: "web_search" }] }, "unsupported_tool", "tools.0.type"],
  [
    "another built-in tool",
    { tools: [weather, { type: "mcp", server_label: "x" }] },
    "unsupported_tool",
    "tools.1.type",
  ],
  [
    "the choice of a built-in tool",
    { tools: [weather], tool_choice: { type: "file_search" } },
    "unsupported_tool",
    "tool_choice",
  ],
  ["reasoning", { reasoning: { effort: "low" } }, "unsupported_parameter", "reasoning.effort"],
  ["a reasoning item", { input: [{ type: "reasoning", id: "rs_1", summary: [] }] }, "unsupported_item", "input.0.type"],
  [
    "an item of a built-in tool",
    { input: [{ type: "web_search_call", id: "ws_1", status: "completed" }] },
    "unsupported_item",
    "input.0.type",
  ],
  ["a conversation object", { conversation: "conv_1" }, "unsupported_parameter", "conversation"],
  ["a chat's limit", { max_tokens: 3 }, "unsupported_parameter", "max_tokens"],
  ["a stored prompt", { prompt: { id: "pmpt_1" } }, "unsupported_parameter", "prompt"],
  [
    "obfuscation",
    { stream: true, stream_options: { include_obfuscation: true } },
    "unsupported_parameter",
    "stream_options.include_obfuscation",
  ],
  ["verbosity", { text: { verbosity: "low" } }, "unsupported_parameter", "text.verbosity"],
  ["no input", { input: [] }, "invalid_value", "input"],
  [
    "an output without its call",
    { input: [{ type: "function_call_output", call_id: "c", output: "1" }] },
    "invalid_value",
    "input",
  ],
  [
    "a bad tool schema",
    { tools: [{ type: "function", name: "f", strict: true, parameters: { type: "array" } }], tool_choice: "required" },
    "invalid_value",
    "tools.0.parameters",
  ],
  ["a background response that is not stored", { background: true, store: false }, "invalid_value", "background"],
])("%s is refused by its name", async (_, fields, code, param) => {
  const refused = await client.responses.create({ ...greedy, ...fields } as Create).catch((error) => error);
  expect(refused).toBeInstanceOf(BadRequestError);
  expect(refused).toMatchObject({ code, param });
  expect(refused.message).toContain(param.replace(/\.type$/, ""));
});

test("an input beyond the context is refused, or loses its oldest items", async () => {
  const old = Array.from({ length: 40 }, () => [
    { role: "user" as const, content: "a b ".repeat(400) },
    { role: "assistant" as const, content: "Yes." },
  ]).flat();
  const input = [...old, { role: "user" as const, content: greedy.input as string }];
  const refused = await client.responses.create({ ...greedy, input }).catch((error) => error);
  expect(refused).toMatchObject({ status: 400, code: "context_length_exceeded", param: "input" });
  const cut = await client.responses.create({ ...greedy, input, truncation: "auto" });
  expect(cut.status).toMatch(/^(completed|incomplete)$/);
});
