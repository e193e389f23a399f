import { RhoneError } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";
import { messageSchema } from "./openapi/generation-schemas.js";
import { messagesErrorSchema } from "./openapi/response-schemas.js";

const MESSAGES = "/v1/messages";
const messages = [{ role: "user", content: "hi" }];
const asked = { messages, max_tokens: 9 };

const eventsOf = (body: string) => body.split("\n\n").filter((event) => event !== "");
const namesOf = (body: string) => [...body.matchAll(/^event: (.*)$/gm)].map(([, name]) => name);

describe("a message", () => {
  it("is answered whole", async () => {
    const { post, jobs } = fakeGateway();
    const response = await post(MESSAGES, { ...asked, stop_sequences: ["END"] });
    expect(response.statusCode).toBe(200);
    expect(messageSchema.parse(response.json())).toMatchObject({
      id: expect.stringMatching(/^msg_/),
      content: [{ type: "text", text: "Hello" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 3, output_tokens: 2 },
    });
    expect(response.headers["request-id"]).toBe(response.headers["x-request-id"]);
    expect(jobs[0]).toMatchObject({ maxTokens: 9, stop: ["END"] });
  });

  it("is streamed as named events, without [DONE]", async () => {
    const { body, headers } = await fakeGateway().post(MESSAGES, { ...asked, stream: true });
    expect(headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(namesOf(body)).toEqual([
      ...["message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta"],
      ...["content_block_stop", "message_delta", "message_stop"],
    ]);
    for (const event of eventsOf(body)) {
      const [, name, json = ""] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
      expect(JSON.parse(json)).toMatchObject({ type: name });
    }
  });

  it("that asks for more than the context holds ends with it", async () => {
    const cut: Script = ({ maxTokens }) => [
      { tokens: [72], text: "H", finish: { reason: maxTokens === 61 ? "length" : "cancelled" } },
    ];
    const response = await fakeGateway(cut).post(MESSAGES, { ...asked, max_tokens: 32_000 });
    expect(response.json().stop_reason).toBe("model_context_window_exceeded");
  });

  it("goes on behind each event of its stream, and is cancelled by its id", async () => {
    const { app, post, cancelled } = fakeGateway();
    const response = await post(MESSAGES, { ...asked, stream: true, stream_options: { resumable: true } });
    const url = String(response.headers["content-location"]);
    expect(url).toMatch(/^\/v1\/streams\/msg_/);
    const events = eventsOf(response.body);
    expect((await app.inject(url)).body).toBe(response.body);
    for (const [index, event] of events.entries()) {
      const id = /^id: (.*)$/m.exec(event)?.[1] ?? "";
      const { body } = await app.inject({ url, headers: { "last-event-id": id } });
      expect(eventsOf(body)).toEqual(events.slice(index + 1));
    }
    await app.inject({ method: "DELETE", url });
    expect(cancelled).toHaveLength(1);
  });

  it("with an Idempotency-Key is generated once", async () => {
    const { post, jobs } = fakeGateway();
    const key = { "idempotency-key": "k" };
    const first = await post(MESSAGES, asked, key);
    expect((await post(MESSAGES, asked, key)).body).toBe(first.body);
    expect(jobs).toHaveLength(1);
  });
});

describe("a failure of /v1/messages", () => {
  it.each<[string, number, string, object]>([
    ["a bad field", 400, "invalid_request_error", { ...asked, temperature: 2 }],
    ["an unknown model", 404, "not_found_error", { ...asked, model: "claude" }],
    ["a long body", 413, "request_too_large", { pad: "x".repeat(5000) }],
  ])("has Anthropic's shape: %s", async (_, status, type, body) => {
    const response = await fakeGateway().post(MESSAGES, body);
    expect(response.statusCode).toBe(status);
    const told = messagesErrorSchema.parse(response.json());
    expect(told.error.type).toBe(type);
    expect(told.request_id).toBe(response.headers["request-id"]);
  });

  it.each<[string, string, number, string]>([
    ["GET", MESSAGES, 405, "invalid_request_error"],
    ["POST", `${MESSAGES}/batches`, 404, "not_found_error"],
    ["GET", `${MESSAGES}?beta=true`, 405, "invalid_request_error"],
  ])("has it without a route, too: %s %s", async (method, url, status, type) => {
    const response = await fakeGateway().app.inject({ method: method as "GET", url });
    expect(response.statusCode).toBe(status);
    expect(messagesErrorSchema.parse(response.json()).error.type).toBe(type);
  });

  it("names the fields of this API, not a chat's", async () => {
    const impossible = { type: "object", properties: { x: { enum: [] } }, required: ["x"] };
    const { post } = fakeGateway();
    const tools = [{ name: "f", input_schema: { type: "array" } }];
    const refused = await post(MESSAGES, { ...asked, tools, tool_choice: { type: "any" } });
    expect(refused.json().error.message).toMatch(/^tools\.0\.input_schema /);
    const format = { type: "json_schema", schema: impossible };
    const other = await post(MESSAGES, { ...asked, output_config: { format } });
    expect(other.json().error.message).toMatch(/^output_config\.format /);
    const twice = [1, 2].map(() => ({ name: "f", input_schema: {} }));
    expect((await post(MESSAGES, { ...asked, tools: twice })).json().error.message).toMatch(/^tools\.1\.name: /);
  });

  const tool = { name: "f", input_schema: {} };
  const impossible = { type: "object", properties: { x: { enum: [] } }, required: ["x"] };

  it.each<[object, RegExp]>([
    [{ max_tokens: "9" }, /^max_tokens is a text; it must be a number\.$/],
    [{ top_p: 2 }, /^top_p is 2/],
    [{ stop_sequences: [""] }, /^stop_sequences\.0 /],
    [{ stop: ["a"] }, /^stop is not supported with this value; send stop_sequences\.$/],
    [{ n: 2 }, /^n is not supported with this value; send the request several times\.$/],
    [{ max_completion_tokens: 5 }, /^max_completion_tokens .* send max_tokens\.$/],
    [{ response_format: { type: "json_object" } }, /^response_format .* send output_config\.format\.$/],
    [{ frequency_penalty: 1 }, /^frequency_penalty .* leave it out\.$/],
    [{ stream_options: { resumable: true } }, /^stream_options needs stream: true/],
    [{ output_config: { format: { type: "json_schema", schema: impossible } } }, /^output_config\.format /],
    [{ output_format: { type: "json_schema", schema: impossible } }, /^output_format /],
    [{ tools: [tool], tool_choice: { type: "tool", name: "g" } }, /^tool_choice: names g, /],
    [{ tool_choice: { type: "any" } }, /^tool_choice: needs tools/],
    [{ tools: [tool, tool] }, /^tools\.1\.name: /],
    [{ tools: [{ name: "f", input_schema: 3 }] }, /^tools\.0\.input_schema is 3/],
    [{ system: [{ type: "text", text: 3 }] }, /^system\.0\.text is 3/],
    [
      { system: "s", messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "a" }] }] },
      /^messages\.0\.content\.0: unexpected `tool_use_id` found in `tool_result` blocks: a\. Each `tool_result` block /,
    ],
    [
      {
        system: "s",
        messages: [{ role: "assistant", content: [{ type: "tool_use", id: "a", name: "f", input: {} }] }],
      },
      /^messages\.0 ends with tool_use/,
    ],
  ])("names the field of %j as its client does", async (fields, message) => {
    const refused = await fakeGateway().post(MESSAGES, { ...asked, ...fields });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().error.message).toMatch(message);
  });

  it.each([
    [0, "system"],
    [1, "messages.0"],
    [2, "messages.1"],
    [3, "messages.1"],
    [4, "messages.2"],
  ])("names the message that the chat's message %d was made from: %s", async (index, source) => {
    const { post, model } = fakeGateway();
    const param = `messages.${index}`;
    const failure = new RhoneError("CHAT_TEMPLATE_FAILED", `No form: ${param} has the role user.`, { param });
    vi.spyOn(model, "encodeChat").mockRejectedValue(failure);
    const content = [
      { type: "tool_result", tool_use_id: "a", content: "1" },
      { type: "text", text: "so" },
    ];
    const use = { role: "assistant", content: [{ type: "tool_use", id: "a", name: "f", input: {} }] };
    const turns = [use, { role: "user", content }, ...messages];
    const refused = await post(MESSAGES, { ...asked, system: "s", messages: turns });
    expect(refused.json().error.message).toBe(`No form: ${source} has the role user.`);
  });

  it("without a key is an authentication_error, and x-api-key is one", async () => {
    const response = await fakeGateway(undefined, "ready", { keys: [] }).post(MESSAGES, asked);
    expect(response.statusCode).toBe(401);
    expect(messagesErrorSchema.parse(response.json()).error.type).toBe("authentication_error");
  });

  it("before the first event keeps its status, and a later one is an event", async () => {
    const full = fakeGateway(() => {
      throw new RhoneError("KV_FULL", "No page is free.");
    });
    const refused = await full.post(MESSAGES, { ...asked, stream: true });
    expect(refused.statusCode).toBe(503);
    expect(refused.json().error.type).toBe("overloaded_error");
    const broken = fakeGateway(function* () {
      yield { tokens: [72], text: " He" };
      throw new RhoneError("WORKER_LOST", "A worker is gone.");
    });
    const { body } = await broken.post(MESSAGES, { ...asked, stream: true });
    const last = eventsOf(body).at(-1) ?? "";
    expect(last).toMatch(/^event: error\ndata: /);
    const told = messagesErrorSchema.parse(JSON.parse(last.slice(last.indexOf("{"))));
    expect(told.error).toEqual({ type: "overloaded_error", message: "A worker is gone." });
  });
});

it("counts the tokens of the prompt that a message would have", async () => {
  const { post, jobs } = fakeGateway();
  const fields = { system: "Be short.", messages, tools: [{ name: "f", input_schema: {} }] };
  const counted = await post(`${MESSAGES}/count_tokens`, fields);
  expect(counted.statusCode).toBe(200);
  await post(MESSAGES, { ...fields, max_tokens: 1 });
  expect(counted.json()).toEqual({ input_tokens: jobs[0]?.promptIds.length });
  expect((await post(`${MESSAGES}/count_tokens`, { ...fields, model: "x" })).json().error.type).toBe("not_found_error");
});
