import { describe, expect, it } from "vitest";
import { z } from "zod";
import { JsonText } from "../write-in-turns.js";
import { conversationOptions, messagesSchema, toConversation } from "./conversation.js";
import { parseLongRequest } from "./request-fields.js";

const schema = z.object({ messages: messagesSchema, ...conversationOptions });
const read = (messages: unknown, options: object = {}) => parseLongRequest(schema, { messages, ...options });
const conversationOf = async (messages: unknown, options: object = {}) => toConversation(await read(messages, options));

const hi = { role: "user", content: "hi" };
const oh = { role: "assistant", content: "Oh" };
const CALL = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };

describe("messages", () => {
  it("have the names that templates use", async () => {
    const call = { id: "c1", type: "function", function: { name: "f", arguments: { a: 1 } } };
    const { messages } = await conversationOf([
      { role: "developer", content: "be brief" },
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
        name: "me",
      },
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: "c1", content: "2" },
    ]);
    expect(messages).toEqual([
      { role: "system", content: "be brief" },
      { role: "user", content: "ab", name: "me" },
      { role: "assistant", content: null, toolCalls: [{ id: "c1", name: "f", arguments: '{"a":1}' }] },
      { role: "tool", content: "2", toolCallId: "c1" },
    ]);
  });

  it.each<[string, unknown, string]>([
    ["none", [], "messages"],
    ["a role of another server", [{ role: "critic", content: "a" }], "messages.0.role"],
    ["an image", [hi, { role: "user", content: [{ type: "image_url" }] }], "messages.1.content.0.type"],
    ["a part without a type", [{ role: "user", content: [{ text: "a" }] }], "messages.0.content.0.type"],
    ["a part without its text", [{ role: "user", content: [{ type: "text" }] }], "messages.0.content.0.text"],
    ["a number", [{ role: "user", content: 5 }], "messages.0.content"],
    [
      "a call without a name",
      [{ role: "assistant", tool_calls: [{ function: {} }] }],
      "messages.0.tool_calls.0.function.name",
    ],
  ])("are refused: %s", async (_, messages, param) => {
    await expect(read(messages)).rejects.toMatchObject({ code: "INVALID_REQUEST", param });
  });
});

describe("what a role does not have is refused", () => {
  const refusals = [
    { type: "text", text: "a" },
    { type: "refusal", refusal: "No." },
  ];
  const others = ["system", "developer", "user", "tool"] as const;
  it.each<[string, object, string]>([
    ...others.flatMap((role): [string, object, string][] => [
      [role, { content: null }, `content must be a text or a list: the role ${role} needs one.`],
      [role, {}, `content must be a text or a list: the role ${role} needs one.`],
      [role, { content: refusals }, `content.1.type must be text: only an assistant refuses, not the role ${role}.`],
      ...["refusal", "tool_calls", "function_call"].map((name): [string, object, string] => [
        role,
        { content: "a", [name]: { refusal: "No.", tool_calls: [CALL], function_call: CALL.function }[name] },
        `${name} must be left out: only an assistant's message has one, and this one is of the role ${role}.`,
      ]),
    ]),
    [
      "function",
      { content: refusals },
      "content.1.type must be text: only an assistant refuses, not the role function.",
    ],
    ["assistant", { content: null }, "content must be a text or a list, unless the message has tool_calls."],
    ["assistant", { tool_calls: [] }, "content must be a text or a list, unless the message has tool_calls."],
  ])("%s: %j", async (role, fields, problem) => {
    await expect(read([hi, { role, ...fields }])).rejects.toThrow(`messages.1.${problem}`);
  });

  it.each([
    { role: "assistant", content: null, tool_calls: [CALL] },
    { role: "assistant", function_call: CALL.function },
    { role: "assistant", content: null, refusal: "No." },
    { role: "assistant", content: refusals },
    { role: "function", name: "f", content: null },
    { role: "user", content: "a", refusal: null, tool_calls: [], function_call: null },
    { role: "user", content: [] },
  ])("%j is not", (message) => expect(read([hi, message])).resolves.toBeDefined());
});

describe("a result", () => {
  const calling = { role: "assistant", tool_calls: [CALL] };
  const result = { role: "tool", tool_call_id: "c1", content: "1" };
  it.each([
    ["alone", [hi, result], 1],
    ["of another call", [hi, calling, result, { ...result, tool_call_id: "c2" }], 3],
    ["before its call", [hi, result, calling], 1],
  ])("%s is refused", async (_, messages, at) => {
    const param = `messages.${at}.tool_call_id`;
    const message = `${param} must be the id of a call before it; send the assistant's message that made the call as well.`;
    await expect(read(messages)).rejects.toMatchObject({ code: "INVALID_REQUEST", param, message });
  });

  it.each([
    ["after its call", [hi, calling, result]],
    ["a user's message later", [hi, calling, hi, result]],
    ["without an id", [hi, { role: "tool", content: "1" }]],
    ["with an empty id", [hi, { ...result, tool_call_id: "" }]],
    ["of a call without an id", [hi, { ...calling, tool_calls: [{ ...CALL, id: undefined }] }, result]],
    ["of a call in the older form", [hi, { role: "assistant", function_call: CALL.function }, result]],
    ["left out", [hi, calling, hi]],
  ])("%s is taken", (_, messages) => expect(read(messages)).resolves.toBeDefined());
});

describe("parts that are no text", () => {
  it.each(["image_url", "input_audio", "file", "document_url", "video_url"])("%s is named", async (type) => {
    const parts = [
      { type: "text", text: "a" },
      { type, [type]: {} },
    ];
    await expect(read([{ role: "user", content: parts }])).rejects.toThrow(
      `messages.0.content.1.type must be text: this model reads text only; ${type} is not supported.`,
    );
  });

  it.each([
    [5, "messages.0.content is 5; it must be a text or a list."],
    [[{ type: 5 }], /^messages\.0\.content\.0\.type is 5; it must be one of text, refusal\.$/],
    [[{ type: "x".repeat(500) }], /only; x{60}… is not supported\.$/],
    [{ type: "text", text: "a" }, "messages.0.content is an object; it must be a text or a list."],
  ])("%j is refused as what it is", async (content, message) => {
    await expect(read([{ role: "user", content }])).rejects.toThrow(message);
  });
});

describe("messages of OpenAI's older forms", () => {
  it("are what an assistant refused with", async () => {
    const refusals = [
      { role: "assistant", content: [{ type: "refusal", refusal: "I can't." }] },
      { role: "assistant", content: null, refusal: "I can't." },
    ];
    for (const refusal of refusals)
      expect((await conversationOf([hi, refusal, hi])).messages[1]).toEqual({ role: "assistant", content: "I can't." });
  });

  it("are a call, and its answer of the role function", async () => {
    const { messages } = await conversationOf([
      hi,
      { role: "assistant", content: null, function_call: { name: "f", arguments: '{"a":1}' } },
      { role: "function", name: "f", content: "2" },
    ]);
    expect(messages.slice(1)).toEqual([
      { role: "assistant", content: null, toolCalls: [{ id: "function-1", name: "f", arguments: '{"a":1}' }] },
      { role: "tool", content: "2", toolCallId: "function-1", name: "f" },
    ]);
  });
});

it("arguments that came as an object keep all digits", async () => {
  const given = new JsonText('{"id":9007199254740993}');
  const call = { id: "a", type: "function", function: { name: "f", arguments: given } };
  const { messages } = await conversationOf([hi, { role: "assistant", tool_calls: [call] }, hi]);
  expect(messages[1]?.toolCalls?.[0]?.arguments).toBe('{"id":9007199254740993}');
});

describe("continuing", () => {
  it.each<[string, unknown[], object, string | undefined, boolean]>([
    ["nothing", [hi], {}, undefined, false],
    ["an answer at the end, as llama-server does", [hi, oh], {}, "Oh", false],
    ["an answer alone", [oh], {}, "Oh", false],
    ["an answer whose prefix is not asked for", [hi, { ...oh, prefix: false }], {}, "Oh", false],
    ["an answer at the end with echo", [hi, oh], { echo: true }, "Oh", true],
    ["no answer where a new one is asked for", [hi, oh], { add_generation_prompt: true }, undefined, false],
    ["no answer where nothing is to be added", [hi, oh], { add_generation_prompt: false }, undefined, false],
    ["no answer where that is refused", [hi, oh], { continue_final_message: false }, undefined, false],
    ["no functions that are called", [hi, { ...oh, tool_calls: [CALL] }], {}, undefined, false],
    ["Mistral's prefix, which the answer repeats", [hi, { ...oh, prefix: true }], {}, "Oh", true],
    ["no prefix of a user's message", [{ ...hi, prefix: true }], {}, undefined, false],
    ["vLLM's final message", [hi, oh], { continue_final_message: true }, "Oh", false],
    ["vLLM's final message with echo", [hi, oh], { continue_final_message: true, echo: true }, "Oh", true],
    ["a final message of no text", [hi, { ...oh, content: "" }], { continue_final_message: true }, "", false],
  ])("%s", async (_, messages, options, continued, showsContinued) => {
    expect(await conversationOf(messages, options)).toMatchObject({ continued, showsContinued });
  });

  it.each([{}, { continue_final_message: true }])(
    "leaves the final message open for the template, with %o",
    async (how) => {
      expect((await conversationOf([hi, oh], how)).messages.at(-1)).toEqual({ ...oh, prefix: true });
    },
  );

  it.each([
    ["a user's message", [hi], {}],
    ["a new answer as well", [hi, oh], { add_generation_prompt: true }],
  ])("is refused with %s", async (_, messages, options) => {
    const refused = { code: "INVALID_REQUEST", param: "continue_final_message" };
    const asked = conversationOf(messages, { continue_final_message: true, ...options });
    await expect(asked).rejects.toMatchObject(refused);
  });
});

describe("options", () => {
  it("are absent where nothing was asked for", async () => expect((await conversationOf([hi])).options).toEqual({}));

  it("carry what templates take", async () => {
    const tools = [{ name: "f" }];
    const fields = await read([hi], { add_generation_prompt: false, chat_template_kwargs: { thinking: true } });
    expect(toConversation(fields, tools).options).toEqual({
      tools,
      addGenerationPrompt: false,
      templateArguments: { thinking: true },
    });
  });

  it("put Mistral's words first for safe_prompt", async () => {
    const { messages } = await conversationOf([hi], { safe_prompt: true });
    expect(messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(messages[0]?.content).toMatch(/^Always assist with care/);
  });
});
