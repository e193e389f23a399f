import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { startSecondGateway } from "../cluster/second-gateway.js";
import { sharedCluster } from "../cluster/shared-cluster.js";
import { keepsTo } from "../schemas/keeps-to.js";
import * as official from "../schemas/openai-responses.js";
import type { Schema } from "../schemas/schema-parts.js";

type Response = OpenAI.Responses.Response;
type Event = OpenAI.Responses.ResponseStreamEvent;
type Create = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, "stream">;

const cluster = sharedCluster();
const PATH = "/v1/responses";
const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });

const model = "breeze";
const greedy: Create = { model, input: "What is the capital of France?", temperature: 0, max_output_tokens: 24 };
const endless = { ...greedy, input: "Tell me a story.", max_output_tokens: 400, ignore_eos: true } as Create;

/** Without what the SDK adds. */
function plain(response: Response): unknown {
  const { output_text: _, ...rest } = response;
  return JSON.parse(JSON.stringify(rest));
}

const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const weather = zodResponsesFunction({ name: "weather", description: "Forecast", parameters: Place });

interface Told {
  readonly name: string;
  readonly data: Event;
}

/** The events of a stream as they were sent, each kept to its official schema and numbered in order. */
async function eventsOf(response: globalThis.Response, from = 0): Promise<readonly Told[]> {
  const told = (await response.text()).split("\n\n").filter((part) => part !== "");
  return told.map((part, index) => {
    const [, name = "", json = ""] = /^event: (.*)\ndata: (.*)$/.exec(part.replace(/^id: .*\n/, "")) ?? [];
    const data = JSON.parse(json) as Event;
    expect([data.type, data.sequence_number]).toEqual([name, from + index]);
    keepsTo(data, official.responseEvents[name] as Schema);
    return { name, data };
  });
}

const streamed = async (body: object) => eventsOf(await cluster.post(PATH, { ...body, stream: true }));

function lastOf(events: readonly Told[]): Response {
  const last = events.at(-1)?.data;
  if (last !== undefined && "response" in last) return last.response;
  throw new Error(`The last event is ${JSON.stringify(last)}`);
}

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
  ["JSON", { text: { format: { type: "json_object" } }, max_output_tokens: 200 }],
  ["a call", { tools: [weather], tool_choice: "required", seed: 3, temperature: 1, max_output_tokens: 1500 }],
  [
    "a named call",
    {
      tools: [weather],
      tool_choice: { type: "function", name: "weather" },
      parallel_tool_calls: false,
      seed: 3,
      max_output_tokens: 1500,
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
    max_output_tokens: 1500,
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
    max_output_tokens: 1500,
  });
  const [call] = called.output;
  Place.parse(call?.type === "function_call" ? call.parsed_arguments : undefined);
});

test("calls are answered by items, or through previous_response_id", async () => {
  const tools = [weather];
  const input = [{ role: "user" as const, content: "How is the weather in Paris?" }];
  const limits = { model, tools, temperature: 0, max_output_tokens: 1500 };
  const first = await client.responses.create({
    ...limits,
    input,
    tool_choice: "required",
    parallel_tool_calls: false,
  });
  const [call] = first.output;
  if (call?.type !== "function_call") throw new Error(JSON.stringify(first));
  const output = { type: "function_call_output" as const, call_id: call.call_id, output: "22 degrees" };
  const counted = await client.responses.inputTokens.count({ model, tools, input, tool_choice: "required" });
  keepsTo(counted, official.inputTokens);
  expect(counted.input_tokens).toBe(first.usage?.input_tokens);
  const short = { ...limits, tool_choice: "none" as const, max_output_tokens: 24 };
  const byItems = await client.responses.create({ ...short, input: [...input, call, output] });
  const byId = await client.responses.create({ ...short, input: [output], previous_response_id: first.id });
  expect(byId.output_text).toBe(byItems.output_text);
  expect(byId.usage?.input_tokens).toBe(byItems.usage?.input_tokens);
  const byReference = [...input, { type: "item_reference" as const, id: call.id ?? "" }, output];
  const referred = await client.responses.create({ ...short, input: byReference });
  expect(referred.output_text).toBe(byItems.output_text);
});

test("a conversation goes on through previous_response_id, without its instructions", async () => {
  const instructions = "You are a pirate.";
  const first = await client.responses.create({ ...greedy, instructions });
  const second = await client.responses.create({ ...greedy, input: "And of Spain?", previous_response_id: first.id });
  const third = await client.responses.create({ ...greedy, input: "And of Italy?", previous_response_id: second.id });
  expect(third).toMatchObject({ previous_response_id: second.id, instructions: null });
  const spoken = [
    { role: "user" as const, content: greedy.input as string },
    { role: "assistant" as const, content: first.output_text },
    { role: "user" as const, content: "And of Spain?" },
    { role: "assistant" as const, content: second.output_text },
    { role: "user" as const, content: "And of Italy?" },
  ];
  const whole = await client.responses.create({ ...greedy, input: spoken });
  expect([third.output_text, third.usage?.input_tokens]).toEqual([whole.output_text, whole.usage?.input_tokens]);
  const items = [];
  for await (const item of client.responses.inputItems.list(third.id, { order: "asc", limit: 2 })) items.push(item);
  expect(items.map((item) => (item.type === "message" ? item.role : item.type))).toEqual(
    spoken.map(({ role }) => role),
  );
  const newest = await client.responses.inputItems.list(third.id);
  expect(newest.data.map(({ id }) => id)).toEqual(items.map(({ id }) => id).reverse());
  keepsTo(await (await fetch(`${cluster.url}${PATH}/${third.id}/input_items?limit=3`)).json(), official.inputItemList);
});

test("a stored response is read again, streamed or not, until it is deleted", async () => {
  const whole = await client.responses.create(greedy);
  expect(plain(await client.responses.retrieve(whole.id))).toEqual(plain(whole));
  const events = await streamed(greedy);
  const { id } = lastOf(events);
  const again = await client.responses.retrieve(id);
  keepsTo(plain(again), official.response);
  expect(plain(again)).toEqual(plain(lastOf(events)));
  const repeated = await eventsOf(await fetch(`${cluster.url}${PATH}/${id}?stream=true`));
  expect(repeated).toEqual(events);
  const rest = await eventsOf(await fetch(`${cluster.url}${PATH}/${id}?stream=true&starting_after=4`), 5);
  expect(rest).toEqual(events.slice(5));
  const viaSdk: Event[] = [];
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: 4 }))
    viaSdk.push(event);
  expect(viaSdk).toEqual(rest.map(({ data }) => data));
  keepsTo(
    await (await fetch(`${cluster.url}${PATH}/${whole.id}`, { method: "DELETE" })).json(),
    official.responseDeleted,
  );
  await client.responses.delete(id);
  for (const gone of [whole.id, id]) {
    await expect(client.responses.retrieve(gone)).rejects.toBeInstanceOf(NotFoundError);
    const refused = await client.responses.create({ ...greedy, previous_response_id: gone }).catch((error) => error);
    expect(refused).toMatchObject({ status: 404, code: "previous_response_not_found", param: "previous_response_id" });
    expect(refused.message).toContain(gone);
  }
});

test("store: false keeps nothing", async () => {
  const { id, ...response } = await client.responses.create({ ...greedy, store: false });
  expect(response).toMatchObject({ store: false });
  await expect(client.responses.retrieve(id)).rejects.toBeInstanceOf(NotFoundError);
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

test("leaving a stream ends its generation, and the response is kept as cancelled", async () => {
  let id = "";
  for await (const event of await client.responses.create({ ...endless, stream: true })) {
    if (event.type === "response.created") id = event.response.id;
    if (event.type === "response.output_text.delta") break;
  }
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 10_000 }).toBe("cancelled");
});

test("a resumable stream goes on without its client, and its response is kept", async () => {
  let id = "";
  const asked = { ...endless, max_output_tokens: 100, stream: true as const, stream_options: { resumable: true } };
  for await (const event of await client.responses.create(
    asked as never as OpenAI.Responses.ResponseCreateParamsStreaming,
  )) {
    if (event.type === "response.created") id = event.response.id;
    if (event.type === "response.output_text.delta") break;
  }
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 20_000 }).toBe("incomplete");
  const events = await eventsOf(await fetch(`${cluster.url}${PATH}/${id}?stream=true`));
  expect(lastOf(events).output_text).toBeUndefined();
  expect(lastOf(events).output).toEqual(JSON.parse(JSON.stringify((await client.responses.retrieve(id)).output)));
});

test("a response in the background is queued, then in progress, then completed", async () => {
  const queued = await client.responses.create({ ...endless, max_output_tokens: 100, background: true });
  expect(queued).toMatchObject({ status: "queued", background: true, output: [] });
  keepsTo(plain(queued), official.response);
  const seen = new Set<string | undefined>();
  const statusOf = async () => {
    const { status } = await client.responses.retrieve(queued.id);
    seen.add(status);
    return status;
  };
  await expect.poll(statusOf, { timeout: 20_000, interval: 20 }).toBe("incomplete");
  expect([...seen].every((status) => ["queued", "in_progress", "incomplete"].includes(status ?? ""))).toBe(true);
  const done = await client.responses.retrieve(queued.id);
  keepsTo(plain(done), official.response);
  expect(done.usage?.output_tokens).toBe(100);
  const next = await client.responses.create({ ...greedy, previous_response_id: done.id });
  expect(next.status).toMatch(/^(completed|incomplete)$/);
});

test("a response in the background is streamed, from its beginning and from any event", async () => {
  const told: Event[] = [];
  const asked = { ...endless, max_output_tokens: 60, background: true, stream: true as const };
  for await (const event of await client.responses.create(asked)) {
    told.push(event);
    if (event.type === "response.output_text.delta") break;
  }
  const [created] = told;
  if (created?.type !== "response.created") throw new Error(JSON.stringify(told));
  expect(told.slice(0, 3).map(({ type }) => type)).toEqual([
    "response.created",
    "response.queued",
    "response.in_progress",
  ]);
  const from = told.at(-1)?.sequence_number ?? 0;
  const url = `${cluster.url}${PATH}/${created.response.id}?stream=true`;
  const rest = await eventsOf(await fetch(`${url}&starting_after=${from}`), from + 1);
  const whole = await eventsOf(await fetch(url));
  expect([...told, ...rest.map(({ data }) => data)]).toEqual(whole.map(({ data }) => data));
  expect(whole.at(-1)?.name).toBe("response.incomplete");
});

test("a response in the background is cancelled, and no other can be", async () => {
  const { id } = await client.responses.create({ ...endless, background: true });
  const cancelled = await client.responses.cancel(id);
  keepsTo(plain(cancelled), official.response);
  expect(cancelled.status).toBe("cancelled");
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
  expect((await client.responses.retrieve(id)).status).toBe("cancelled");
  expect((await client.responses.cancel(id)).status).toBe("cancelled");
  const whole = await client.responses.create(greedy);
  await expect(client.responses.cancel(whole.id)).rejects.toBeInstanceOf(BadRequestError);
});

test("a response in the background outlives the gateway that took it", async () => {
  const second = await startSecondGateway(cluster, []);
  onTestFinished(() => second.stop("SIGKILL"));
  const there = new OpenAI({ baseURL: `${second.url}/v1`, apiKey: "none", maxRetries: 0 });
  const { id } = await there.responses.create({ ...endless, max_output_tokens: 200, background: true });
  await second.stop("SIGKILL");
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 40_000 }).toBe("incomplete");
  expect((await client.responses.retrieve(id)).usage?.output_tokens).toBe(200);
});
