import { describe, expect, it } from "vitest";
import { type Answer, AnswerReader, answerOf, type Chunk } from "./answer.js";
import { differenceOf } from "./judge.js";

const IDS = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
const known: Answer = {
  ...{ ids: IDS, text: "once upon a time", logprobs: IDS.map((id) => `[${id},-0.5]`) },
  ...{ calls: ['weather({"city":"Rome"})'], finish: "length", promptTokens: 3, completionTokens: 10 },
};

const without = (from: number, count: number) => IDS.toSpliced(from, count);
const twice = (from: number, count: number) => IDS.toSpliced(from + count, 0, ...IDS.slice(from, from + count));

describe("differenceOf", () => {
  it("finds none between equal answers", () => {
    expect(differenceOf(known, { ...known, ids: [...IDS] })).toBeNull();
  });

  it.each([
    ["a token lost in the middle", without(4, 1), { what: "lost", at: 4, count: 1 }],
    ["three tokens lost", without(2, 3), { what: "lost", at: 2, count: 3 }],
    ["the end lost", IDS.slice(0, 7), { what: "lost", at: 7, count: 3 }],
    ["everything lost", [], { what: "lost", at: 0, count: 10 }],
    ["a token doubled", twice(3, 1), { what: "doubled", at: 4, count: 1 }],
    ["the last token doubled", twice(9, 1), { what: "doubled", at: 10, count: 1 }],
    ["four tokens doubled", twice(2, 4), { what: "doubled", at: 6, count: 4 }],
    ["everything doubled", [...IDS, ...IDS], { what: "doubled", at: 10, count: 10 }],
    ["a wrong token", IDS.with(5, 99), { what: "wrong", at: 5, count: 0 }],
    ["a token too much that repeats nothing", IDS.toSpliced(5, 0, 99), { what: "wrong", at: 5, count: 0 }],
    ["another rest", [11, 12, 31, 32, 33, 34, 35, 36, 37, 38], { what: "wrong", at: 2, count: 0 }],
  ])("finds %s", (_, ids, found) => {
    expect(differenceOf(known, { ...known, ids })).toMatchObject({ field: "tokens", ...found });
  });

  it.each([
    ["a wrong text of the right tokens", { text: "once upon a tine" }, { what: "wrong", field: "text", at: 14 }],
    ["a text without a word", { text: "once a time" }, { what: "lost", field: "text", at: 5, count: 5 }],
    ["a word that is there twice", { text: "once upon upon a time" }, { what: "doubled", field: "text", count: 5 }],
    [
      "other log-probabilities",
      { logprobs: known.logprobs.with(9, "[20,-0.6]") },
      { field: "log-probabilities", at: 9 },
    ],
    ["another call", { calls: ['weather({"city":"Oslo"})'] }, { field: "calls", at: 0 }],
    ["a lost call", { calls: [] }, { what: "lost", field: "calls", count: 1 }],
    ["another end", { finish: "stop" }, { what: "wrong", field: "end" }],
    ["a usage that counts twice", { completionTokens: 20 }, { field: "end", got: "length, 3 + 20 tokens" }],
  ])("finds %s", (_, changes, found) => {
    expect(differenceOf(known, { ...known, ...changes })).toMatchObject(found);
  });

  it("shows a few tokens of both from the difference on", () => {
    expect(differenceOf(known, { ...known, ids: without(4, 1) })).toMatchObject({
      expected: "15 16 17 18 19 20",
      got: "16 17 18 19 20",
    });
  });
});

describe("AnswerReader", () => {
  const chunks: readonly Chunk[] = [
    { choices: [{ delta: { content: "" } }] },
    { choices: [{ delta: { content: "a" }, token_ids: [1, 2], logprobs: { content: [{ token: "a" }] } }] },
    { choices: [{ delta: { tool_calls: [{ index: 0, function: { name: "f", arguments: '{"x":' } }] } }] },
    { choices: [{ delta: { tool_calls: [{ index: 0, function: { arguments: "1}" } }] }, token_ids: [3] }] },
    { choices: [{ delta: {}, finish_reason: "tool_calls" }], usage: { prompt_tokens: 5, completion_tokens: 3 } },
  ];
  const message = { content: "a", tool_calls: [{ function: { name: "f", arguments: '{"x":1}' } }] };

  it("puts the chunks of a chat together to what the whole answer says", () => {
    const reader = new AnswerReader();
    expect(chunks.map((chunk) => reader.take(chunk))).toEqual([0, 2, 0, 1, 0]);
    const logprobs = { content: [{ token: "a" }] };
    const choice = { message, token_ids: [1, 2, 3], logprobs, finish_reason: "tool_calls" };
    const whole = answerOf({ choices: [choice], usage: { prompt_tokens: 5, completion_tokens: 3 } });
    expect(reader.answer).toEqual(whole);
    expect(whole).toMatchObject({ calls: ['f({"x":1})'], finish: "tool_calls", promptTokens: 5 });
  });

  it("reads the log-probabilities of completions by token", () => {
    const logprobs = { tokens: ["a", "b"], token_logprobs: [-1, -2], top_logprobs: [{ a: -1 }, { b: -2 }] };
    expect(answerOf({ choices: [{ text: "ab", token_ids: [1, 2], logprobs }] }).logprobs).toEqual([
      '["a",-1,{"a":-1}]',
      '["b",-2,{"b":-2}]',
    ]);
  });
});
