import { describe, expect, it } from "vitest";
import { end, of } from "../testing/events.js";
import { fakeModel } from "../testing/fake-model.js";
import { jsonInTurns } from "../write-in-turns.js";
import { MessagesWriter, type MessagesWriterOptions } from "./messages-writer.js";
import type { ChoiceEvent } from "./writer.js";

const options: MessagesWriterOptions = {
  id: "msg_1",
  modelName: "tiny",
  stripsSpace: true,
  opening: "",
  calls: { marker: null, forced: false, names: ["f"], parallel: true },
  warnings: [],
  promptTokens: 5,
  endsWithContext: false,
};

type Json = Readonly<Record<string, unknown>>;

/** The events and the whole message that these events make. */
async function write(events: readonly ChoiceEvent[], changes: Partial<MessagesWriterOptions> = {}) {
  const open = () => new MessagesWriter({ ...options, ...changes }, fakeModel());
  const streams = open();
  const chunks = events.flatMap((event) => [...streams.take(event, "chunks")]);
  const answers = open();
  for (const event of events) expect(answers.take(event, "whole")).toEqual([]);
  return {
    chunks: [...chunks, ...streams.end()].map((json) => JSON.parse(json) as Json),
    whole: JSON.parse(await jsonInTurns(await answers.whole())) as Json,
  };
}

const usage = { promptTokens: 5, completionTokens: 2, cachedTokens: 4 };
const text = { type: "text" };
const call = (input: unknown) => ({
  type: "tool_use",
  id: expect.stringMatching(/^[a-zA-Z0-9]{9}$/),
  name: "f",
  input,
  caller: { type: "direct" },
});
const start = (index: number, content_block: object) => ({ type: "content_block_start", index, content_block });
const delta = (index: number, added: object) => ({ type: "content_block_delta", index, delta: added });
const words = (index: number, added: string) => delta(index, { type: "text_delta", text: added });
const json = (index: number, partial_json: string) => delta(index, { type: "input_json_delta", partial_json });
const stop = (index: number) => ({ type: "content_block_stop", index });
const ping = { type: "ping" };

describe("a message", () => {
  it("of text is one block, and its events come in the official order", async () => {
    const { chunks, whole } = await write([
      of(0, { text: " He" }),
      of(0, { text: "" }),
      end(0, { text: "llo", usage }),
    ]);
    expect(chunks).toEqual([
      { type: "message_start", message: expect.objectContaining({ id: "msg_1", content: [], stop_reason: null }) },
      start(0, { ...text, text: "" }),
      ping,
      words(0, "He"),
      words(0, "llo"),
      stop(0),
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null, stop_details: null, container: null },
        usage: {
          input_tokens: 1,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 4,
          output_tokens: 2,
          output_tokens_details: null,
          server_tool_use: null,
        },
      },
      { type: "message_stop" },
    ]);
    expect(chunks[0]?.message).toMatchObject({ usage: { input_tokens: 5, output_tokens: 0 } });
    expect(whole).toMatchObject({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "tiny",
      content: [{ ...text, text: "Hello" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 1, cache_read_input_tokens: 4, output_tokens: 2 },
    });
  });

  it("has text and calls as blocks in their order", async () => {
    const calls = '[{"name": "f", "arguments": {"a": 1}}, {"name": "f", "arguments": {}}]';
    const { chunks, whole } = await write([of(0, { text: calls }), of(0, { text: " so" }), end(0)]);
    expect(chunks.slice(1, -2)).toEqual([
      ...[start(0, call({})), ping, json(0, '{"a": 1}'), stop(0)],
      ...[start(1, call({})), json(1, "{}"), stop(1)],
      ...[start(2, { ...text, text: "" }), words(2, " so"), stop(2)],
    ]);
    expect(whole.content).toEqual([call({ a: 1 }), call({}), { ...text, text: " so" }]);
    expect(whole.stop_reason).toBe("tool_use");
  });

  it("has all digits of a call's input, streamed and whole", async () => {
    const input = '{"id": 9007199254740993, "of": [-12345678901234567890, 1.50, 1e400]}';
    const event = of(0, { text: `{"name": "f", "arguments": ${input}}` });
    const { chunks } = await write([event, end(0)]);
    expect(chunks).toContainEqual(json(0, input));
    const writer = new MessagesWriter(options, fakeModel());
    for (const each of [event, end(0)]) writer.take(each, "whole");
    expect(await jsonInTurns(await writer.whole())).toContain(`"input":${input},`);
  });

  it("without anything has no blocks", async () => {
    const { chunks, whole } = await write([end(0)]);
    expect(chunks.map(({ type }) => type)).toEqual(["message_start", "message_delta", "message_stop"]);
    expect(whole.content).toEqual([]);
  });

  it.each<[string, Parameters<typeof end>[1], Partial<MessagesWriterOptions>, string | null]>([
    ["end_turn", { finish: { reason: "stop", matched: 2 } }, {}, null],
    ["stop_sequence", { finish: { reason: "stop", matched: "END" } }, {}, "END"],
    ["max_tokens", { finish: { reason: "length" } }, {}, null],
    ["model_context_window_exceeded", { finish: { reason: "length" } }, { endsWithContext: true }, null],
  ])("ends with %s", async (reason, finish, changes, sequence) => {
    const { chunks, whole } = await write([of(0), end(0, finish)], changes);
    expect(whole).toMatchObject({ stop_reason: reason, stop_sequence: sequence });
    expect(chunks.at(-2)).toMatchObject({ delta: { stop_reason: reason, stop_sequence: sequence } });
  });
});

it("makes the same events behind those that are passed over", () => {
  const all = [of(0, { text: '{"name": "f", "arg' }), of(0, { text: 'uments": {}}' }), of(0, { text: " a" }), end(0)];
  const eventsAfter = (seen: number) => {
    const writer = new MessagesWriter(options, fakeModel());
    return all.map((event, index) => writer.take(event, index < seen ? "later" : "chunks"));
  };
  for (const seen of [1, 2, 3]) {
    expect(eventsAfter(seen)).toEqual([...Array(seen).fill([]), ...eventsAfter(0).slice(seen)]);
  }
});

it("tells what its schema did not hold it to, behind its usage", async () => {
  const warnings = [{ param: "output_config.format", path: "#", reason: "has the keyword if" }];
  const { chunks, whole } = await write([end(0, { text: "a", usage })], { warnings });
  expect(chunks.at(-2)).toMatchObject({ type: "message_delta", warnings });
  expect(whole).toMatchObject({ warnings });
  expect((await write([end(0, { text: "a", usage })])).whole).not.toHaveProperty("warnings");
});
