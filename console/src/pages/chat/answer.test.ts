import { expect, it } from "vitest";
import { type Answer, extended, tokensPerSecond } from "./answer.ts";
import type { Piece } from "./answer-stream.ts";

const empty: Answer = {
  ...{ role: "assistant", id: 1, text: "", scored: [], calls: [], state: "streaming", problem: "", finish: "" },
  ...{ usage: null, firstMs: null, lastMs: null },
};
const piece = (part: Partial<Piece>): Piece => ({
  text: "",
  scored: [],
  calls: [],
  finish: null,
  usage: null,
  ...part,
});

it("puts an answer together, and counts from its first piece with content", () => {
  const usage = { prompt_tokens: 5, completion_tokens: 11 };
  const pieces = [piece({}), piece({ text: "Par" }), piece({ text: "is" }), piece({ finish: "stop", usage })];
  const whole = pieces.reduce<Answer>((answer, each, index) => extended(answer, each, 100 * index), empty);
  expect(whole).toMatchObject({ text: "Paris", finish: "stop", usage, firstMs: 100, lastMs: 200 });
  expect(tokensPerSecond(whole)).toBe(100);
});

it("joins the parts of each call", () => {
  const call = (index: number, part: object) => ({ index, id: "", name: "", arguments: "", ...part });
  const parts = [
    [call(0, { id: "a", name: "find" })],
    [call(0, { arguments: '{"ci' }), call(1, { id: "b", name: "look" })],
    [call(0, { arguments: 'ty":1}' })],
  ];
  const { calls } = parts.reduce<Answer>((answer, each) => extended(answer, piece({ calls: each }), 1), empty);
  expect(calls).toEqual([
    { index: 0, id: "a", name: "find", arguments: '{"city":1}' },
    { index: 1, id: "b", name: "look", arguments: "" },
  ]);
});

it("tells no speed of a single token", () => {
  const usage = { prompt_tokens: 5, completion_tokens: 1 };
  expect(tokensPerSecond({ ...empty, usage, firstMs: 10, lastMs: 10 })).toBeNull();
});
