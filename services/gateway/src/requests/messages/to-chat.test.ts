import { describe, expect, it } from "vitest";
import { JsonText } from "../../write-in-turns.js";
import { parseLongRequest } from "../request-fields.js";
import { messagesRequestSchema } from "./message-fields.js";
import { toChat } from "./to-chat.js";

const hi = { role: "user", content: "Hi" };
const read = async (fields: object) =>
  toChat(await parseLongRequest(messagesRequestSchema, { max_tokens: 9, messages: [hi], ...fields }));

const cache_control = { type: "ephemeral" };
const block = (text: string) => ({ type: "text", text, cache_control });
const use = { type: "tool_use", id: "toolu_1", name: "f", input: { a: [1] }, caller: { type: "direct" } };
const result = (content: unknown, more: object = {}) => ({
  type: "tool_result",
  tool_use_id: "toolu_1",
  content,
  ...more,
});
const answers = { role: "user", content: [result("22")] };
const calls = [{ id: "toolu_1", type: undefined, function: { name: "f", arguments: '{"a":[1]}' } }];
const answered = (content: string) => ({ role: "tool", tool_call_id: "toolu_1", content });

describe("the messages of a chat", () => {
  it.each<[string, object, object[]]>([
    ["a system text", { system: "S" }, [{ role: "system", content: "S" }, hi]],
    ["system blocks", { system: [block("S"), block("T")] }, [{ role: "system", content: "ST" }, hi]],
    ["a system message", { messages: [hi, { role: "system", content: "S" }] }, [hi, { role: "system", content: "S" }]],
    [
      "text blocks",
      { messages: [{ role: "user", content: [block("a"), block("b")] }] },
      [{ role: "user", content: "ab" }],
    ],
    ["no blocks", { messages: [{ role: "user", content: [] }] }, [{ role: "user", content: "" }]],
    [
      "calls and their results",
      {
        messages: [
          hi,
          { role: "assistant", content: [block("I look."), use] },
          { role: "user", content: [result("22"), block("So"), block("?")] },
        ],
      },
      [
        hi,
        { role: "assistant", content: "I look.", tool_calls: calls },
        answered("22"),
        { role: "user", content: "So?" },
      ],
    ],
    [
      "results of blocks, of nothing, and of failures",
      {
        messages: [
          { role: "assistant", content: [use, { ...use, id: "b" }] },
          { role: "assistant", content: [{ ...use, id: "c" }] },
          { role: "user", content: [result([block("2"), block("3")]), result(undefined, { tool_use_id: "b" })] },
          { role: "system", content: "S" },
          { role: "user", content: [result("no", { is_error: true, tool_use_id: "c" })] },
        ],
      },
      [
        {
          role: "assistant",
          content: undefined,
          tool_calls: [...calls, ...calls.map((call) => ({ ...call, id: "b" }))],
        },
        { role: "assistant", content: undefined, tool_calls: calls.map((call) => ({ ...call, id: "c" })) },
        ...[answered("23"), { ...answered(""), tool_call_id: "b" }],
        { role: "system", content: "S" },
        { ...answered("Error: no"), tool_call_id: "c" },
      ],
    ],
    [
      "thoughts, which are left out",
      {
        messages: [
          hi,
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "…", signature: "s" },
              { type: "redacted_thinking", data: "d" },
              block("a"),
            ],
          },
          hi,
        ],
      },
      [hi, { role: "assistant", content: "a" }, hi],
    ],
  ])("of %s", async (_, fields, messages) => {
    expect((await read(fields)).messages).toEqual(messages);
  });

  it("go on with the last one, if it is an assistant's", async () => {
    expect((await read({})).continue_final_message).toBe(false);
    expect((await read({ messages: [hi, { role: "assistant", content: "The" }] })).continue_final_message).toBe(true);
    await expect(read({ messages: [hi, { role: "assistant", content: [use] }] })).rejects.toThrow(
      /^messages\.1 ends with tool_use/,
    );
  });
});

describe("calls and results that are not a pair are refused", () => {
  const calling = (...ids: string[]) => ({ role: "assistant", content: ids.map((id) => ({ ...use, id })) });
  const giving = (...ids: string[]) => ({ role: "user", content: ids.map((id) => result("1", { tool_use_id: id })) });
  const UNEXPECTED = "unexpected `tool_use_id` found in `tool_result` blocks";
  const UNANSWERED = "`tool_use` ids were found without `tool_result` blocks immediately after";
  it.each<[string, object[], string, string]>([
    ["a result alone", [giving("a")], "messages.0.content.0", `${UNEXPECTED}: a.`],
    ["a result of another id", [hi, calling("a"), giving("a", "b")], "messages.2.content.1", `${UNEXPECTED}: b.`],
    [
      "a result of an earlier turn",
      [calling("a"), giving("a"), calling("b"), giving("b", "a")],
      "messages.3.content.1",
      `${UNEXPECTED}: a.`,
    ],
    ["no result", [hi, calling("a", "b"), hi], "messages.1", `${UNANSWERED}: a, b.`],
    ["a missing result", [hi, calling("a", "b", "c"), giving("b")], "messages.1", `${UNANSWERED}: a, c.`],
    ["a result too late", [hi, calling("a"), hi, { role: "assistant", content: "x" }, giving("a")], "messages.1", "a."],
    ["two results", [calling("a"), giving("a"), giving("a")], "messages.2.content.0", "a single result; a has two"],
    ["two calls of an id", [calling("a"), calling("a"), giving("a")], "messages.1.content.0.id", "must be unique: a."],
    [
      "a text before its result",
      [calling("a"), { role: "user", content: [block("So"), ...giving("a").content] }],
      "messages.1.content.1",
      "must come first in the message",
    ],
    ["a message before its result", [calling("a"), hi, giving("a")], "messages.2.content.0", "must come first"],
  ])("%s", async (_, messages, param, message) => {
    const refusal = { code: "INVALID_REQUEST", param, message: expect.stringContaining(message) };
    await expect(read({ system: "S", messages })).rejects.toThrow(expect.objectContaining(refusal));
  });

  it("an id may be used again in a later turn", async () => {
    const { messages } = await read({ messages: [calling("a"), giving("a"), calling("a"), giving("a"), hi] });
    expect(messages.map(({ role }) => role)).toEqual(["assistant", "tool", "assistant", "tool", "user"]);
  });
});

it.each<[object, object]>([
  [{ stop_sequences: ["END"] }, { stop: ["END"], max_tokens: 9 }],
  [
    { temperature: 0, top_p: 0.5, top_k: 3 },
    { temperature: 0, top_p: 0.5, top_k: 3 },
  ],
  [{ tool_choice: { type: "auto" } }, { tool_choice: "auto", parallel_tool_calls: true }],
  [{ tool_choice: { type: "none" } }, { tool_choice: "none", parallel_tool_calls: undefined }],
  [
    { tool_choice: { type: "any", disable_parallel_tool_use: true } },
    { tool_choice: "required", parallel_tool_calls: false },
  ],
  [{ tool_choice: { type: "tool", name: "f" } }, { tool_choice: { type: "function", function: { name: "f" } } }],
  [
    { tools: [{ name: "f", description: "d", input_schema: { type: "object" }, strict: true, cache_control }] },
    { tools: [{ function: { name: "f", description: "d", parameters: { type: "object" }, strict: true } }] },
  ],
  [
    { tools: [{ type: "custom", name: "f", input_schema: {}, input_examples: [{ a: 1 }] }] },
    { tools: [{ function: { name: "f", parameters: { examples: [{ a: 1 }] } } }] },
  ],
  [
    { output_config: { format: { type: "json_schema", schema: { enum: [{}] } } } },
    { response_format: { type: "json_schema", json_schema: { schema: { enum: [{}] } } } },
  ],
  [
    { output_format: { type: "json_schema", schema: { enum: [{}] } } },
    { response_format: { type: "json_schema", json_schema: { schema: { enum: [{}] } } } },
  ],
  [
    { stream: true, stream_options: { resumable: true } },
    { stream: true, stream_options: { resumable: true } },
  ],
  [{ metadata: { user_id: "u" }, service_tier: "auto", thinking: { type: "adaptive" }, mcp_servers: [] }, {}],
])("%j is %j in a chat", async (fields, chat) => {
  expect(await read(fields)).toMatchObject(chat);
});

it("the input of an earlier call keeps all digits", async () => {
  const input = new JsonText('{"id":9007199254740993,"of":[1,{"a":-9223372036854775809}]}');
  const { messages } = await read({ messages: [hi, { role: "assistant", content: [{ ...use, input }] }, answers] });
  const [call] = messages[1]?.tool_calls ?? [];
  expect(call?.function.arguments).toBe('{"id":9007199254740993,"of":[1,{"a":-9223372036854775809}]}');
});

describe("refusals name the field and what it must be", () => {
  const image = { type: "image", source: { type: "url", url: "https://a.example" } };
  it.each<[object, string]>([
    [{ max_tokens: undefined }, "max_tokens is missing."],
    [{ max_tokens: 0 }, "max_tokens is 0; it must be at least 1."],
    [{ temperature: 1.5 }, "temperature is 1.5; it must be at most 1."],
    [{ messages: [] }, "messages must hold at least one message."],
    [
      { messages: [{ role: "tool", content: "" }] },
      'messages.0.role is "tool"; it must be one of user, assistant, system.',
    ],
    [
      { messages: [{ role: "user", content: [block("a"), image] }] },
      "messages.0.content.1.type must not be image: this model reads text only, and a user message holds text and " +
        "tool_result.",
    ],
    [
      { messages: [{ role: "user", content: [{ ...image, type: "document" }] }] },
      "messages.0.content.0.type must not be document: this model reads text only, and a user message holds text and " +
        "tool_result.",
    ],
    [
      { messages: [{ role: "user", content: [result([image])] }] },
      "messages.0.content.0.content.0.type must not be image: this model reads text only, and a tool_result holds text.",
    ],
    [
      { messages: [{ role: "assistant", content: [{ type: "server_tool_use" }] }] },
      "messages.0.content.0.type must not be server_tool_use: this model reads text only, and an assistant message " +
        "holds text and tool_use.",
    ],
    [{ system: [{ text: "a" }] }, "system.0.type must say what the block is, and system holds text."],
    [
      { messages: [{ role: "user", content: [5] }] },
      "messages.0.content.0 must say what the block is, and a user message holds text and tool_result.",
    ],
    [
      { tools: [{ type: "web_search_20250305", name: "web_search" }] },
      'tools.0.type must be "custom": the gateway has no tools of its own, and the model knows none by name.',
    ],
    [{ tools: [{ name: "f" }] }, "tools.0.input_schema is missing."],
    [
      { tools: [{ name: "f", input_schema: {}, defer_loading: true }] },
      "tools.0.defer_loading is true; it must be false.",
    ],
    [
      { thinking: { type: "enabled", budget_tokens: 2000 } },
      'thinking.type is "enabled"; it must be one of disabled, adaptive.',
    ],
    [{ container: "c" }, "container must be left out: the gateway runs no code."],
    [{ mcp_servers: [{}] }, "mcp_servers is a list; it must be left out: the gateway calls no servers."],
    [
      { output_config: { effort: "low" } },
      "output_config.effort must be left out: this model has one effort for all answers.",
    ],
  ])("%j", async (fields, message) => {
    await expect(read(fields)).rejects.toThrow(expect.objectContaining({ code: "INVALID_REQUEST", message }));
  });
});
