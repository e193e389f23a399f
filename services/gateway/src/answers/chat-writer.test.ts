import { describe, expect, it } from "vitest";
import { end, FRAME, of } from "../testing/events.js";
import { fakeModel } from "../testing/fake-model.js";
import { jsonInTurns } from "../write-in-turns.js";
import { ChatWriter, type ChatWriterOptions } from "./chat-writer.js";
import type { ChoiceEvent } from "./writer.js";

const options: ChatWriterOptions = {
  ...FRAME,
  id: "chatcmpl-1",
  stripsSpace: false,
  opening: "",
  choices: 1,
  promptIds: [1, 2, 3],
  wantsLogprobs: false,
  wantsPromptLogprobs: false,
  calls: null,
};
const calls = { marker: null, forced: false, names: ["f"], parallel: true };

interface Written {
  readonly chunks: readonly {
    readonly choices: readonly Record<string, unknown>[];
    readonly [field: string]: unknown;
  }[];
  readonly whole: { readonly choices: readonly Record<string, unknown>[]; readonly [field: string]: unknown };
}

/** The chunks and the whole answer that these events make. */
async function write(events: readonly ChoiceEvent[], changes: Partial<ChatWriterOptions> = {}): Promise<Written> {
  const open = () => new ChatWriter({ ...options, ...changes }, fakeModel());
  const streams = open();
  const json = events.flatMap((event) => [...streams.take(event, "chunks")]);
  const answers = open();
  for (const event of events) expect(answers.take(event, "whole")).toEqual([]);
  return {
    chunks: [...json, ...streams.end()].map((text) => JSON.parse(text)),
    whole: JSON.parse(await jsonInTurns(await answers.whole())),
  };
}

const deltas = ({ chunks }: Written) => chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));
const messageOf = ({ whole }: Written, choice = 0) => whole.choices[choice]?.message;

it("makes the same chunks behind events that are passed over, and keeps nothing of them", async () => {
  const json = '[{"name": "f", "arguments": {"a": 1}}]';
  const events = [of(0, { text: json.slice(0, 9) }), of(0, { text: json.slice(9) }), end(0)];
  const chunksAfter = (seen: number) => {
    const writer = new ChatWriter({ ...options, calls }, fakeModel());
    return events.map((event, i) => writer.take(event, i < seen ? "later" : "chunks"));
  };
  expect(chunksAfter(1)).toEqual([[], ...chunksAfter(0).slice(1)]);
  expect(chunksAfter(2)).toEqual([[], [], ...chunksAfter(0).slice(2)]);
  const streams = new ChatWriter({ ...options, wantsTokenIds: true }, fakeModel());
  for (const event of events) streams.take(event, "chunks");
  expect(await streams.whole()).toMatchObject({ choices: [{ message: { content: "" }, token_ids: [] }] });
});

describe("a text", () => {
  it("begins with the role, and ends with the reason and the usage", async () => {
    const written = await write([of(0), of(0, { text: "b" }), end(0)]);
    expect(deltas(written)).toEqual([{ role: "assistant", content: "" }, { content: "a" }, { content: "b" }, {}]);
    expect(written.chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, "stop"]);
    expect(written.chunks.at(-1)?.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 1 });
    expect(messageOf(written)).toEqual({ role: "assistant", content: "ab", refusal: null });
  });

  it("is not sent where an event has none", async () => {
    expect(deltas(await write([of(0, { text: "" }), of(0), end(0)]))).toEqual([
      { role: "assistant", content: "" },
      { content: "a" },
      {},
    ]);
  });

  it.each([
    [true, [" a", "b"], "ab"],
    [true, ["", " a"], "a"],
    [true, [" ", " a"], " a"],
    [true, ["a"], "a"],
    [false, [" a"], " a"],
  ])("stripped of the tokenizer's space = %s: %j becomes %j", async (stripsSpace, texts, content) => {
    const written = await write([...texts.map((text) => of(0, { text })), end(0)], { stripsSpace });
    expect(messageOf(written)).toMatchObject({ content });
    expect(
      deltas(written)
        .map((delta) => (delta as { content?: string }).content ?? "")
        .join(""),
    ).toBe(content);
  });

  it("continues its opening in the first chunk", async () => {
    const written = await write([of(0), of(0, { text: "b" }), end(0)], { opening: "Oh " });
    expect(deltas(written)[1]).toEqual({ content: "Oh a" });
    expect(messageOf(written)).toMatchObject({ content: "Oh ab" });
  });

  it("has the opening alone where nothing is generated", async () => {
    expect(messageOf(await write([end(0)], { opening: "Oh" }))).toMatchObject({ content: "Oh" });
  });
});

describe("choices", () => {
  it("are written apart, and the last to finish carries the usage", async () => {
    const written = await write([of(1, { text: "x" }), of(0), end(1), end(0)], { choices: 2 });
    expect(written.whole.choices.map(({ message }) => (message as { content: string }).content)).toEqual(["a", "x"]);
    expect(written.chunks.filter((chunk) => "usage" in chunk)).toHaveLength(1);
    expect(written.chunks.at(-1)).toMatchObject({ choices: [{ index: 0, finish_reason: "stop" }], usage: {} });
    expect(written.whole.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 2 });
  });

  it("beyond the last are a fault", async () => {
    await expect(write([of(1)])).rejects.toThrow(new RangeError("The request has 1 choices, no choice 1"));
  });

  it("that were cut off say why", async () => {
    const written = await write([end(0, { finish: { reason: "length" } })]);
    expect(written.whole.choices[0]?.finish_reason).toBe("length");
  });
});

describe("log-probabilities", () => {
  const logprobs = [{ token: 97, logprob: -1, top: [[98, -2] as const] }];

  it("come with the text", async () => {
    const written = await write([of(0, { logprobs }), end(0)], { wantsLogprobs: true });
    const content = [
      { token: "a", logprob: -1, bytes: [97], top_logprobs: [{ token: "b", logprob: -2, bytes: [98] }] },
    ];
    expect(written.chunks[1]?.choices[0]).toMatchObject({ delta: { content: "a" }, logprobs: { content } });
    expect(written.whole.choices[0]?.logprobs).toEqual({ content, refusal: null });
  });

  it("are sent also for a token whose text is held back", async () => {
    const written = await write([of(0, { text: "", logprobs }), end(0)], { wantsLogprobs: true });
    expect(written.chunks[1]?.choices[0]).toMatchObject({ delta: { content: "" }, logprobs: {} });
  });

  /** Token 97 is " a", 98 " ", 99 "\n\nb", 100 half of "é", 101 its other half, 2 the end token. */
  const PIECES: Readonly<Record<number, readonly number[]>> = {
    97: [0x20, 0x61],
    98: [0x20],
    99: [0x0a, 0x0a, 0x62],
    100: [0xc3],
    101: [0xa9],
  };
  const spaced = { ...fakeModel(), pieceBytes: (id: number) => Buffer.from(PIECES[id] ?? []) };
  const scored = (token: number, text: string) =>
    of(0, { tokens: [token], text, logprobs: [{ token, logprob: -1, top: [[token, -1] as const] }] });
  const stop = (matched: string | number) => ({ finish: { reason: "stop" as const, matched } });

  it.each<[string, readonly ChoiceEvent[], readonly string[], boolean]>([
    ["without the tokenizer's space", [scored(97, " a"), scored(97, " a"), end(0)], ["a", " a"], true],
    ["without a first token that is only that space", [scored(98, " "), scored(97, " a"), end(0)], [" a"], true],
    ["with a space that is the model's", [scored(97, " a"), end(0)], [" a"], false],
    [
      "without an end token",
      [scored(97, " a"), end(0, { tokens: [2], logprobs: [{ token: 2, logprob: -1, top: [] }] })],
      ["a"],
      true,
    ],
    [
      "up to a stop string that cuts a token",
      [scored(97, " a"), scored(99, ""), end(0, { ...scored(97, "\n").event, ...stop("\nb a") })],
      ["a", "\n"],
      true,
    ],
    [
      "with text that was held back for a stop string in vain",
      [scored(97, " a"), scored(99, ""), end(0, { ...scored(97, "\n\nb a").event, ...stop(2) })],
      ["a", "\n\nb", " a"],
      true,
    ],
    [
      "of a character that two tokens spell",
      [scored(100, ""), scored(101, "é"), end(0)],
      ["bytes:\\xc3", "bytes:\\xa9"],
      true,
    ],
  ])("name the tokens as the text shows them: %s", async (_, events, tokens, stripsSpace) => {
    const open = () => new ChatWriter({ ...options, wantsLogprobs: true, stripsSpace }, spaced);
    const namesOf = (choice: Record<string, unknown> | undefined) =>
      ((choice?.logprobs ?? {}) as { content?: { token: string; top_logprobs: { token: string }[] }[] }).content ?? [];
    const whole = open();
    for (const event of events) whole.take(event, "whole");
    const answer = JSON.parse(await jsonInTurns(await whole.whole()));
    expect(namesOf(answer.choices[0]).map(({ token }) => token)).toEqual(tokens);
    const text = Buffer.concat(
      namesOf(answer.choices[0]).map((each) => Buffer.from((each as never as { bytes: number[] }).bytes)),
    );
    expect(text.toString()).toBe(answer.choices[0].message.content);
    const streams = open();
    const chunks = events.flatMap((event) => [...streams.take(event, "chunks")]).map((json) => JSON.parse(json));
    expect(chunks.flatMap(({ choices }) => namesOf(choices[0])).map(({ token }) => token)).toEqual(tokens);
  });

  it("name the first alternatives without the tokenizer's space, too", async () => {
    const writer = new ChatWriter({ ...options, wantsLogprobs: true, stripsSpace: true }, spaced);
    writer.take(scored(97, " a"), "whole");
    const { choices } = JSON.parse(await jsonInTurns(await writer.whole()));
    expect(choices[0].logprobs.content).toMatchObject([{ token: "a", top_logprobs: [{ token: "a", bytes: [97] }] }]);
  });

  it("are left out where nobody asked", async () => {
    expect((await write([of(0, { logprobs }), end(0)])).whole.choices[0]?.logprobs).toBeNull();
  });

  it("of the prompt are those of the first choice", async () => {
    const promptLogprobs = [{ token: 98, logprob: -3, top: [[98, -3] as const] }];
    const events = [of(0, { promptLogprobs }), of(1, { promptLogprobs }), of(0, { promptLogprobs }), end(0)];
    const { whole } = await write(events, { wantsPromptLogprobs: true, choices: 2 });
    const written = { "98": { logprob: -3, rank: 1, decoded_token: "b" } };
    expect(whole.prompt_logprobs).toEqual([null, written, written]);
  });
});

describe("token ids", () => {
  it("come with each chunk, those of the prompt with the first", async () => {
    const written = await write([of(0), end(0)], { wantsTokenIds: true });
    expect(written.chunks[0]).toMatchObject({ prompt_token_ids: [1, 2, 3] });
    expect(written.chunks[1]?.choices[0]).toMatchObject({ token_ids: [97] });
    expect(written.whole).toMatchObject({ prompt_token_ids: [1, 2, 3], choices: [{ token_ids: [97] }] });
  });
});

describe("calls", () => {
  const json = '{"name": "f", "arguments": {"a": 1}}';

  it("are sent whole, and the answer ended for them", async () => {
    const written = await write([of(0, { text: json.slice(0, 9) }), of(0, { text: json.slice(9) }), end(0)], { calls });
    const [begin, call, last] = written.chunks;
    expect(begin?.choices[0]?.delta).toEqual({ role: "assistant", content: null });
    const found = { index: 0, id: expect.stringMatching(/^\w{9}$/), type: "function", function: { name: "f" } };
    expect(call?.choices[0]?.delta).toMatchObject({ tool_calls: [found] });
    expect(last?.choices[0]?.finish_reason).toBe("tool_calls");
    expect(messageOf(written)).toMatchObject({ content: null, tool_calls: [{ function: { arguments: '{"a": 1}' } }] });
  });

  it("have the same ids at every gateway, and others in every request", async () => {
    const idOf = async (id: string) => {
      const { whole } = await write([of(0, { text: json }), end(0)], { calls, id });
      return (whole.choices[0]?.message as { tool_calls: { id: string }[] } | undefined)?.tool_calls[0]?.id;
    };
    expect(await idOf("chatcmpl-1")).toBe(await idOf("chatcmpl-1"));
    expect(await idOf("chatcmpl-1")).not.toBe(await idOf("chatcmpl-2"));
  });

  it("do not hide that the answer was too long", async () => {
    const events = [of(0, { text: json }), end(0, { finish: { reason: "length" } })];
    const { whole } = await write(events, { calls });
    expect(whole.choices[0]).toMatchObject({
      finish_reason: "length",
      message: { tool_calls: [{ type: "function" }] },
    });
  });

  it("that were cut off are text, and the answer was too long", async () => {
    const written = await write([of(0, { text: json.slice(0, 9) }), end(0, { finish: { reason: "length" } })], {
      calls,
    });
    expect(messageOf(written)).toEqual({ role: "assistant", content: json.slice(0, 9), refusal: null });
    expect(written.whole.choices[0]?.finish_reason).toBe("length");
  });
});
