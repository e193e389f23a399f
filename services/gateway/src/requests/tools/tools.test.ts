import { describe, expect, test } from "vitest";
import { chatChunkSchema, chatCompletionSchema } from "../../http/openapi/generation-schemas.js";
import { fakeGateway, type Script } from "../../testing/fake-gateway.js";

const CHAT = "/v1/chat/completions";
const MARKER = 5;
const messages = [{ role: "user", content: "hi" }];
const parameters = {
  type: "object",
  properties: { place: { enum: ["Lyon"] } },
  required: ["place"],
  additionalProperties: false,
};
const weather = { type: "function", function: { name: "weather", description: "d", parameters, strict: false } };
const now = { type: "function", function: { name: "now" } };
const tools = [weather, now];
const named = { type: "function", function: { name: "now" } };

/** Says `text` in pieces of three letters, each with its letters as tokens; `first` comes before. */
const says =
  (text: string, first: readonly number[] = []): Script =>
  ({ promptIds }) => [
    ...(first.length > 0 ? [{ tokens: first, text: "" }] : []),
    ...(text.match(/.{1,3}/gs) ?? []).map((piece) => ({ tokens: [...Buffer.from(piece)], text: piece })),
    {
      tokens: [2],
      text: "",
      finish: { reason: "stop", matched: 2 },
      usage: { promptTokens: promptIds.length, completionTokens: text.length, cachedTokens: 0 },
    },
  ];

const CALLS = ' [{"name": "weather", "arguments": {"place": "Lyon"}}, {"name": "now", "arguments": {}}]';
const called = [
  {
    id: expect.stringMatching(/^[a-zA-Z0-9]{9}$/),
    type: "function",
    function: { name: "weather", arguments: '{"place": "Lyon"}' },
  },
  { id: expect.stringMatching(/^[a-zA-Z0-9]{9}$/), type: "function", function: { name: "now", arguments: "{}" } },
];

interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly content?: string | null; readonly tool_calls?: readonly object[] };
    readonly finish_reason: string | null;
  }[];
}

function chunksOf(body: string): readonly Chunk[] {
  const lines = body.split("\n\n").filter((line) => line !== "" && line !== "data: [DONE]");
  return lines.map((line) => JSON.parse(line.slice("data: ".length)) as Chunk);
}

describe.each([
  ["announced by a token", MARKER, [MARKER]],
  ["in words", undefined, []],
] as const)("calls %s", (_, callToken, first) => {
  test("are the whole message", async () => {
    const { post } = fakeGateway(says(CALLS, first), "ready", { callToken });
    const answer = (await post(CHAT, { messages, tools })).json();
    expect(answer.choices[0]).toMatchObject({
      message: { role: "assistant", content: null, tool_calls: called },
      finish_reason: "tool_calls",
    });
    const [one, two] = answer.choices[0].message.tool_calls;
    expect(one.id).not.toBe(two.id);
    expect(Object.keys(one)).toEqual(["id", "type", "function"]);
    chatCompletionSchema.parse(answer);
  });

  test("are streamed whole, one delta each, with their places", async () => {
    const { post } = fakeGateway(says(CALLS, first), "ready", { callToken });
    const chunks = chunksOf((await post(CHAT, { messages, tools, stream: true })).body);
    for (const chunk of chunks) chatChunkSchema.parse(chunk);
    const deltas = chunks.map(({ choices }) => choices[0]?.delta);
    expect(deltas[0]).toEqual({ role: "assistant", content: null });
    expect(deltas.flatMap((delta) => delta?.tool_calls ?? [])).toEqual(
      called.map((call, index) => ({ index, ...call })),
    );
    expect(deltas.map((delta) => delta?.content ?? "").join("")).toBe("");
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
  });

  test("are not made where the answer is words", async () => {
    const { post } = fakeGateway(says(" Hello there."), "ready", { callToken });
    const answer = (await post(CHAT, { messages, tools })).json();
    expect(answer.choices[0]).toMatchObject({ message: { content: "Hello there." }, finish_reason: "stop" });
    expect(answer.choices[0].message).not.toHaveProperty("tool_calls");
    const chunks = chunksOf((await post(CHAT, { messages, tools, stream: true })).body);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("Hello there.");
  });

  test("that are malformed are words", async () => {
    const { post } = fakeGateway(says(' [{"name": "weather", "arguments": {"pla', first), "ready", { callToken });
    const { choices } = (await post(CHAT, { messages, tools })).json();
    expect(choices[0]).toMatchObject({ finish_reason: "stop" });
    expect(choices[0].message).toEqual({
      role: "assistant",
      content: '[{"name": "weather", "arguments": {"pla',
      refusal: null,
    });
  });

  test("have other ids in each choice", async () => {
    const { post } = fakeGateway(says(CALLS, first), "ready", { callToken });
    const { choices } = (await post(CHAT, { messages, tools, n: 2 })).json();
    const ids = (choices as { message: { tool_calls: { id: string }[] } }[]).flatMap(({ message }) =>
      message.tool_calls.map(({ id }) => id),
    );
    expect(new Set(ids).size).toBe(4);
  });

  test("are words when the choice is none", async () => {
    const { post, jobs } = fakeGateway(says(CALLS, first), "ready", { callToken });
    const { choices } = (await post(CHAT, { messages, tools, tool_choice: "none" })).json();
    expect(choices[0].message).toEqual({ role: "assistant", content: CALLS.slice(1), refusal: null });
    expect(jobs[0]?.constraint).toBeNull();
  });
});

describe("a choice of", () => {
  const constraintOf = async (body: object, callToken?: number) => {
    const { post, jobs } = fakeGateway(says(CALLS), "ready", { callToken });
    const response = await post(CHAT, { messages, tools, ...body });
    expect(response.statusCode, response.body).toBe(200);
    return { constraint: jobs[0]?.constraint, last: jobs[0]?.promptIds.at(-1) };
  };

  test.each([["any"], ["required"], [named]])("%j has a grammar of the whole answer", async (tool_choice) => {
    const tokens = await constraintOf({ tool_choice }, MARKER);
    expect(tokens).toMatchObject({ constraint: { trigger: null, otherwise: null }, last: MARKER });
    const words = await constraintOf({ tool_choice });
    expect(words).toMatchObject({ constraint: { trigger: null, otherwise: null } });
    expect(words.last).not.toBe(MARKER);
    const isNamed = typeof tool_choice !== "string";
    for (const { constraint } of [tokens, words]) {
      expect(constraint?.grammar.includes("weather")).toBe(!isNamed);
      expect(constraint?.grammar).toContain("now");
    }
  });

  test("auto has a grammar behind the token that announces calls", async () => {
    const { constraint, last } = await constraintOf({ tool_choice: "auto" }, MARKER);
    expect(constraint).toMatchObject({ trigger: MARKER, otherwise: null });
    expect(constraint?.grammar).toContain("weather");
    expect(last).not.toBe(MARKER);
  });

  test("auto without such a token has a grammar only for functions that are strict", async () => {
    expect((await constraintOf({})).constraint).toBeNull();
    const strict = { ...weather, function: { ...weather.function, strict: true } };
    expect((await constraintOf({ tools: [strict] })).constraint).toMatchObject({ trigger: null, otherwise: null });
  });

  test("auto leaves a response_format to answers that are no calls", async () => {
    const response_format = { type: "json_schema", json_schema: { schema: { enum: ["only this"] } } };
    const tokens = await constraintOf({ response_format }, MARKER);
    expect(tokens.constraint?.otherwise).toContain("only this");
    expect(tokens.constraint?.grammar).not.toContain("only this");
    const words = (await constraintOf({ response_format })).constraint;
    expect(words).toMatchObject({
      trigger: null,
      grammar: expect.stringMatching(/only this.*weather|weather.*only this/s),
    });
  });

  test("allowed tools leaves the others out", async () => {
    const allowed = { type: "allowed_tools", allowed_tools: { mode: "required", tools: [named] } };
    const { constraint } = await constraintOf({ tool_choice: allowed });
    expect(constraint?.grammar).not.toContain("weather");
  });
});

describe("earlier calls and results", () => {
  test("are taken as OpenAI's clients and Mistral's send them", async () => {
    const { post, model } = fakeGateway();
    const seen: unknown[] = [];
    const encodeChat: typeof model.encodeChat = async (given, options) => {
      seen.push(given, options?.tools);
      return [1];
    };
    Object.assign(model, { encodeChat });
    const call = (args: unknown) => ({ id: "call_1", type: "function", function: { name: "now", arguments: args } });
    const turns = [
      ...messages,
      { role: "assistant", content: null, tool_calls: [call('{"a":1}')] },
      {
        role: "tool",
        tool_call_id: "call_1",
        content: [
          { type: "text", text: "12" },
          { type: "text", text: ":30" },
        ],
      },
      { role: "assistant", content: "", tool_calls: [{ ...call({ a: 1 }), index: 0 }], prefix: false },
      { role: "tool", tool_call_id: "call_1", name: "now", content: "noon" },
    ];
    expect((await post(CHAT, { messages: turns, tools })).statusCode).toBe(200);
    const toolCalls = [{ id: "call_1", name: "now", arguments: '{"a":1}' }];
    expect(seen[0]).toMatchObject([
      { role: "user" },
      { role: "assistant", content: null, toolCalls },
      { role: "tool", toolCallId: "call_1", content: "12:30" },
      { role: "assistant", content: "", toolCalls },
      { role: "tool", toolCallId: "call_1", name: "now", content: "noon" },
    ]);
    expect(seen[1]).toEqual([{ name: "weather", description: "d", parameters }, { name: "now" }]);
  });
});

test("a resumable stream is written again with the same calls", async () => {
  const { app, post } = fakeGateway(says(CALLS, [MARKER]), "ready", { callToken: MARKER });
  const stream_options = { resumable: true };
  const { body, headers } = await post(CHAT, { messages, tools, stream: true, stream_options });
  expect(body).toContain('"tool_calls":[{"index":1');
  expect((await app.inject(String(headers["content-location"]))).body).toBe(body);
});

describe("functions, as before tools", () => {
  const ask = { messages, functions: [weather.function, now.function] };
  const call = { name: "weather", arguments: '{"place": "Lyon"}' };
  const ONE = ' {"name": "weather", "arguments": {"place": "Lyon"}}';

  test("get one call, under its older name", async () => {
    const { post } = fakeGateway(says(ONE));
    const answer = (await post(CHAT, ask)).json();
    expect(() => chatCompletionSchema.parse(answer)).not.toThrow();
    const [{ message, finish_reason }] = answer.choices;
    expect(message).toEqual({ role: "assistant", content: null, refusal: null, function_call: call });
    expect(finish_reason).toBe("function_call");
  });

  test("get it in one delta of a stream", async () => {
    const { post } = fakeGateway(says(ONE));
    const chunks = chunksOf((await post(CHAT, { ...ask, stream: true })).body);
    for (const chunk of chunks) expect(() => chatChunkSchema.parse(chunk)).not.toThrow();
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: "assistant", content: null },
      { function_call: call },
      {},
    ]);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("function_call");
  });

  test("leave an answer in text alone", async () => {
    const { post } = fakeGateway(says(" Hello"));
    const [{ message, finish_reason }] = (await post(CHAT, ask)).json().choices;
    expect([message.content, message.function_call, finish_reason]).toEqual(["Hello", undefined, "stop"]);
  });
});

test("tokenize shows the functions to the template, unless the choice is none", async () => {
  const { post, model } = fakeGateway();
  const shown: unknown[] = [];
  const encodeChat: typeof model.encodeChat = async (_, options) => {
    shown.push(options?.tools?.map(({ name }) => name));
    return [1];
  };
  Object.assign(model, { encodeChat });
  await post("/tokenize", { messages, tools });
  await post("/tokenize", { messages, tools, tool_choice: "none" });
  expect(shown).toEqual([["weather", "now"], undefined]);
});

describe("refusals name the field", () => {
  const impossible = { type: "object", properties: { a: { enum: [] } }, required: ["a"] };
  const withParameters = (schema: object, strict = false) => ({
    tools: [now, { type: "function", function: { name: "f", parameters: schema, strict } }],
  });
  test.each<[string, object, string]>([
    ["impossible parameters", withParameters(impossible), "tools.1.function.parameters"],
    ["parameters that are no object", withParameters({ type: "string" }), "tools.1.function.parameters"],
    ["strict parameters that can't be enforced", withParameters({ not: {} }, true), "tools.1.function.parameters"],
    ["a name with a space", { tools: [{ function: { name: "a b" } }] }, "tools.0.function.name"],
    ["a name that comes twice", { tools: [now, now] }, "tools.1.function.name"],
    ["another kind of tool", { tools: [{ type: "web_search" }] }, "tools.0.type"],
    ["a choice of an unknown function", { tools, tool_choice: { ...named, function: { name: "x" } } }, "tool_choice"],
    ["a choice without tools", { tool_choice: "required" }, "tool_choice"],
    ["a choice that is none", { tools, tool_choice: "perhaps" }, "tool_choice"],
    [
      "a call behind a text",
      { tools, tool_choice: "any", messages: [...messages, { role: "assistant", content: "So", prefix: true }] },
      "tool_choice",
    ],
  ])("%s", async (_, body, param) => {
    const response = await fakeGateway().post(CHAT, { messages, ...body });
    expect(response.json()).toMatchObject({ param, error: { param } });
    expect(response.statusCode).toBe(400);
  });
});

test("parameters that can't be enforced are no obstacle unless they are strict", async () => {
  const { post } = fakeGateway();
  const odd = {
    type: "function",
    function: { name: "f", parameters: { type: "object", patternProperties: { a: {} } } },
  };
  const asked = { messages, tools: [now, odd], tool_choice: "any" };
  const reason = "has the keyword patternProperties, which cannot be enforced here";
  const warnings = [{ param: "tools.1.function.parameters", path: "#", reason }];
  const answer = (await post(CHAT, asked)).json();
  expect(answer).toMatchObject({ object: "chat.completion", warnings });
  chatCompletionSchema.parse(answer);
  const chunks = chunksOf((await post(CHAT, { ...asked, stream: true })).body);
  expect(chunks.filter((chunk) => "warnings" in chunk)).toEqual([chunks.at(-1)]);
  expect(chunks.at(-1)).toMatchObject({ warnings, choices: [{ finish_reason: "stop" }] });
  expect((await post(CHAT, { messages, tools: [now], tool_choice: "any" })).json()).not.toHaveProperty("warnings");
});
