import Anthropic, { BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";
import * as anthropic from "../schemas/anthropic.js";
import { keepsTo } from "../schemas/keeps-to.js";

const cluster = await sharedCluster();
const client = new Anthropic({ baseURL: cluster.url, apiKey: "none", maxRetries: 0 });

const PATH = "/v1/messages";
const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const { $schema: _, ...input_schema } = z.toJSONSchema(Place);
const weather = { name: "weather", description: "Forecast", input_schema: input_schema as Anthropic.Tool.InputSchema };
const now: Anthropic.Tool = { name: "now", input_schema: { type: "object" } };
const messages: Anthropic.MessageParam[] = [{ role: "user", content: "What is the capital of France?" }];
const greedy = { model: "breeze", messages, temperature: 0, max_tokens: 24 };

const textOf = ({ content }: Anthropic.Message) =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");
const callsOf = ({ content }: Anthropic.Message) => content.filter((block) => block.type === "tool_use");

interface StreamEvent {
  readonly name: string;
  readonly data: { readonly type: string; readonly index?: number; readonly [field: string]: unknown };
}

/** The events of a stream, each of which is checked; so is that nothing else is sent but comments while it waits. */
async function eventsOf(body: object): Promise<readonly StreamEvent[]> {
  const response = await cluster.post(PATH, { ...body, stream: true });
  const lines = (await response.text()).split("\n\n");
  expect(lines.pop()).toBe("");
  const events = lines.filter((line) => !line.startsWith(":"));
  return events.map((line) => {
    const [, name = "", json = ""] = /^(?:id: .*\n)?event: (.*)\ndata: (.*)$/.exec(line) ?? [];
    const data = JSON.parse(json) as StreamEvent["data"];
    expect(data.type).toBe(name);
    keepsTo(data, anthropic.events[name] ?? { not: {} });
    return { name, data };
  });
}

/** Checks that events come in the official order: start, blocks one after the other, delta, stop; pings anywhere. */
function inOrder(events: readonly StreamEvent[]): void {
  const names = events.filter(({ name }) => name !== "ping");
  let open: number | null = null;
  let next = 0;
  for (const { name, data } of names.slice(1, -2)) {
    if (name === "content_block_start") {
      expect([open, data.index]).toEqual([null, next]);
      open = next++;
    } else {
      expect([name, data.index]).toEqual([expect.stringMatching(/^content_block_(delta|stop)$/), open]);
      if (name === "content_block_stop") open = null;
    }
  }
  expect(open).toBeNull();
  const ends = [names[0], names.at(-2), names.at(-1)].map((event) => event?.name);
  expect(ends).toEqual(["message_start", "message_delta", "message_stop"]);
}

test("a message is answered the same whole, streamed and through the stream helper", async () => {
  const { data, response, request_id } = await client.messages.create(greedy).withResponse();
  keepsTo(data, anthropic.message);
  expect(request_id).toMatch(/^[0-9a-f]{32}$/);
  expect(response.headers.get("request-id")).toBe(request_id);
  expect(textOf(data)).toMatch(/Paris/);
  let text = "";
  for await (const event of await client.messages.create({ ...greedy, stream: true })) {
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
  }
  expect(text).toBe(textOf(data));
  const pieces: string[] = [];
  const stream = client.messages.stream(greedy).on("text", (piece) => pieces.push(piece));
  const final = await stream.finalMessage();
  expect(pieces.join("")).toBe(text);
  expect([textOf(final), final.stop_reason]).toEqual([text, data.stop_reason]);
  expect(final.usage.output_tokens).toBe(data.usage.output_tokens);
});

test.each<[string, object]>([
  ["plainly", {}],
  ["behind a system text", { system: "Answer in one word." }],
  ["behind system blocks", { system: [{ type: "text", text: "Be short.", cache_control: { type: "ephemeral" } }] }],
  ["until a stop", { stop_sequences: ["Paris", " is"] }],
  ["until max_tokens", { max_tokens: 2 }],
  ["going on from a prefix", { messages: [...messages, { role: "assistant", content: "The capital" }] }],
  ["with calls", { tools: [weather, now], tool_choice: { type: "any" }, max_tokens: ROOM }],
  ["with a call", { tools: [weather], tool_choice: { type: "tool", name: "weather" }, max_tokens: ROOM }],
  ["with or without calls", { tools: [now], tool_choice: { type: "auto" }, max_tokens: 24 }],
  ["without calls", { tools: [now], tool_choice: { type: "none" } }],
  ["as JSON", { output_config: { format: { type: "json_schema", schema: input_schema } }, max_tokens: 200 }],
])("a message that is answered %s is Anthropic's, whole and in every event", async (_, fields) => {
  keepsTo(await cluster.ask(PATH, { ...greedy, ...fields }), anthropic.message);
  inOrder(await eventsOf({ ...greedy, ...fields }));
});

test("stop reasons are told", async () => {
  const stopped = await client.messages.create({ ...greedy, stop_sequences: ["Paris"] });
  expect(stopped).toMatchObject({ stop_reason: "stop_sequence", stop_sequence: "Paris" });
  expect(textOf(stopped)).not.toContain("Paris");
  expect((await client.messages.create({ ...greedy, max_tokens: 1 })).stop_reason).toBe("max_tokens");
  expect((await client.messages.create({ ...greedy, max_tokens: 200 })).stop_reason).toBe("end_turn");
});

test("a final assistant message is continued, and not repeated", async () => {
  const whole = textOf(await client.messages.create(greedy));
  const begun = whole.slice(0, whole.indexOf(" ", 4));
  const asked = { ...greedy, messages: [...messages, { role: "assistant" as const, content: begun }] };
  expect(begun + textOf(await client.messages.create(asked))).toBe(whole);
});

describe("tools", () => {
  const common = { ...greedy, temperature: 1, max_tokens: ROOM };

  test("are called, their results taken, and the conversation goes on", async () => {
    const first = await client.messages.create({ ...common, tools: [weather, now], tool_choice: { type: "any" } });
    expect(first.stop_reason).toBe("tool_use");
    const calls = callsOf(first);
    expect(calls.length).toBeGreaterThan(0);
    const results = calls.map(({ id }, index) => ({
      type: "tool_result" as const,
      tool_use_id: id,
      ...(index === 0 ? { content: "22" } : { content: [{ type: "text" as const, text: "late" }], is_error: true }),
    }));
    const second = await client.messages.create({
      ...greedy,
      tools: [weather, now],
      tool_choice: { type: "none" },
      messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: results }],
    });
    expect(textOf(second).length).toBeGreaterThan(0);
    expect(callsOf(second)).toEqual([]);
  });

  test("by name are called once, with an input of their schema", async () => {
    for (let round = 0; round < 5; round++) {
      const tool_choice = { type: "tool" as const, name: "weather", disable_parallel_tool_use: true };
      const calls = callsOf(await client.messages.create({ ...common, tools: [weather], tool_choice }));
      expect(calls).toHaveLength(1);
      Place.parse(calls[0]?.input);
    }
  });

  test("are streamed through the stream helper", async () => {
    const asked = {
      ...common,
      tools: [weather],
      tool_choice: { type: "any" as const, disable_parallel_tool_use: true },
    };
    const final = await client.messages.stream(asked).finalMessage();
    expect(final.stop_reason).toBe("tool_use");
    Place.parse(callsOf(final)[0]?.input);
  });
});

test("tokens are counted as the message counts them", async () => {
  const asked = { model: "breeze", messages, system: "Be short.", tools: [weather] };
  const counted = await client.messages.countTokens(asked);
  keepsTo(await cluster.ask(`${PATH}/count_tokens`, asked), anthropic.tokenCount);
  const { usage } = await client.messages.create({ ...asked, max_tokens: 1 });
  expect(usage.input_tokens + (usage.cache_read_input_tokens ?? 0)).toBe(counted.input_tokens);
});

test("refusals become the SDK's own errors, with their type and request id", async () => {
  const refused = await client.messages.create({ ...greedy, max_tokens: 0 }).catch((error) => error);
  expect(refused).toBeInstanceOf(BadRequestError);
  keepsTo(refused.error, anthropic.error);
  expect(refused.error.error).toEqual({
    type: "invalid_request_error",
    message: "max_tokens is 0; it must be at least 1.",
  });
  expect(refused.requestID).toBe(refused.error.request_id);
  const unknown = await client.messages.create({ ...greedy, model: "claude" }).catch((error) => error);
  expect(unknown).toBeInstanceOf(NotFoundError);
  const image: Anthropic.ImageBlockParam = { type: "image", source: { type: "url", url: "https://a.example/a.png" } };
  const unread = await client.messages
    .create({ ...greedy, messages: [{ role: "user", content: [image] }] })
    .catch((error) => error);
  expect(unread.message).toMatch(/this model reads text only/);
});

test("a stream whose client hung up is read to its end from where it broke", async () => {
  const body = { ...greedy, stream: true, stream_options: { resumable: true } };
  inOrder(await eventsOf(body));
  const response = await cluster.post(PATH, body);
  const url = `${cluster.url}${response.headers.get("content-location")}`;
  const whole = await response.text();
  const events = whole.split("\n\n").filter((event) => event !== "");
  const id = /^id: (.*)$/m.exec(events[3] ?? "")?.[1] ?? "";
  const rest = await (await fetch(url, { headers: { "last-event-id": id } })).text();
  expect(`${events.slice(0, 4).join("\n\n")}\n\n${rest}`).toBe(whole);
});
