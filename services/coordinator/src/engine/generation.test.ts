import type { GenerationJob } from "@rhone/common";
import { packBias, RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeScore, fakeSpan } from "../testing/fake-span.js";
import { fakeSequence } from "../testing/scheduling.js";
import { PieceTable } from "../text/piece-table.js";
import { NOTHING_RECORDED, type RecordedGeneration } from "../token-log/recorded.js";
import { Generation, refusalOf } from "./generation.js";

/**
 * Token 1 is "a", 2 "b", …; 27 and 28 are halves of "é"; 29 is " ", 30 "  ", 31 " a"; 90 and 91 are control tokens, of
 * which 90 ends a text.
 */
const pieces = new PieceTable({
  pieceBytes: (token, { special }) => {
    if (token >= 90) return Buffer.from(special ? `<${token}>` : "");
    if (token === 27) return Uint8Array.of(0xc3);
    if (token === 28) return Uint8Array.of(0xa9);
    if (token >= 29 && token <= 31) return Buffer.from([" ", "  ", " a"][token - 29] ?? "");
    return Buffer.from(String.fromCharCode(96 + token));
  },
});
const rules = { contextLength: 12, vocabSize: 100, endTokens: new Set([90]), pieces };

function open(job: Partial<GenerationJob> = {}, recorded: Partial<RecordedGeneration> = {}) {
  const sequence = fakeSequence({ promptLength: 4, maxTokens: 6, ignoreEos: false, ...job });
  const generation = new Generation({ sequence, rules, recorded: { ...NOTHING_RECORDED, ...recorded } });
  /** Draws the tokens one step at a time, until the generation ends, and returns every event. */
  const draw = (...tokens: readonly number[]) => {
    const answer = (token: number) => ({
      span: fakeSpan(sequence),
      tokens: [fakeScore(token)],
      scores: [],
      pooled: null,
      error: null,
    });
    return tokens.flatMap((token) => generation.advance(answer(token)));
  };
  const text = (...tokens: readonly number[]) =>
    draw(...tokens)
      .map((event) => event.text)
      .join("");
  const finish = (...tokens: readonly number[]) => draw(...tokens).at(-1)?.finish;
  return { sequence, generation, draw, text, finish };
}

/** A generation whose prompt is scored. */
function scoring(recorded: Partial<RecordedGeneration> = {}, job: Partial<GenerationJob> = {}) {
  const { generation, sequence } = open({ promptLogprobs: 0, ...job }, recorded);
  const chunk = (position: number, ...scores: readonly number[]) =>
    generation.advance({
      span: fakeSpan(sequence, { position, count: scores.length, sample: false }),
      tokens: [],
      scores: scores.map(fakeScore),
      pooled: null,
      error: null,
    });
  return { generation, sequence, chunk };
}

const HIDDEN_SPACE = [
  {
    job: { hiddenSpace: true, stop: [" "] },
    tokens: [31, 2, 31],
    text: " ab",
    finish: { reason: "stop", matched: " " },
    why: "a blank that stops is looked for behind the hidden one",
  },
  {
    job: { hiddenSpace: true, stop: [" a"] },
    tokens: [31, 2, 31],
    text: " ab",
    finish: { reason: "stop", matched: " a" },
    why: "so is a stop string with a leading blank",
  },
  {
    job: { hiddenSpace: true, stop: [" "] },
    tokens: [30],
    text: " ",
    finish: { reason: "stop", matched: " " },
    why: "one blank is hidden, not two",
  },
  {
    job: { hiddenSpace: true, stop: ["  a"] },
    tokens: [29, 31, 1],
    text: "  aa",
    finish: undefined,
    why: "a stop string is not made of the hidden blank and the next",
  },
  {
    job: { hiddenSpace: true, stop: [" a"], minTokens: 1 },
    tokens: [31, 31],
    text: " a",
    finish: { reason: "stop", matched: " a" },
    why: "the hidden blank passes before minTokens, too",
  },
  {
    job: { stop: [" a"] },
    tokens: [31],
    text: "",
    finish: { reason: "stop", matched: " a" },
    why: "a blank that the client is shown counts",
  },
] satisfies { job: Partial<GenerationJob>; tokens: number[]; text: string; finish: unknown; why: string }[];

describe("Generation, its end", () => {
  it.each<{ job: Partial<GenerationJob>; tokens: number[]; text: string; finish: unknown; why: string }>([
    {
      job: {},
      tokens: [1, 2, 90],
      text: "ab",
      finish: { reason: "stop", matched: 90 },
      why: "an end token, which is not shown",
    },
    {
      job: { includeStop: true, skipSpecialTokens: false },
      tokens: [1, 90],
      text: "a<90>",
      finish: { reason: "stop", matched: 90 },
      why: "an end token that is shown",
    },
    { job: { ignoreEos: true }, tokens: [1, 90, 2], text: "ab", finish: undefined, why: "end tokens are ignored" },
    {
      job: { ignoreEos: true, stopTokenIds: [2] },
      tokens: [1, 2],
      text: "a",
      finish: { reason: "stop", matched: 2 },
      why: "a token that the request names",
    },
    { job: { minTokens: 2 }, tokens: [90, 90], text: "", finish: undefined, why: "not before minTokens" },
    {
      job: { minTokens: 2 },
      tokens: [1, 90, 90],
      text: "a",
      finish: { reason: "stop", matched: 90 },
      why: "after minTokens",
    },
    {
      job: { stop: ["bc"] },
      tokens: [1, 2, 3],
      text: "a",
      finish: { reason: "stop", matched: "bc" },
      why: "a stop string over two tokens",
    },
    {
      job: { stop: ["bc"], includeStop: true },
      tokens: [1, 2, 3],
      text: "abc",
      finish: { reason: "stop", matched: "bc" },
      why: "a stop string that is shown",
    },
    {
      job: { stop: ["bc"] },
      tokens: [1, 2, 90],
      text: "ab",
      finish: { reason: "stop", matched: 90 },
      why: "text that was held back for a stop string is shown at the end",
    },
    ...HIDDEN_SPACE,
    { job: { maxTokens: 2 }, tokens: [1, 2], text: "ab", finish: { reason: "length" }, why: "maxTokens" },
    {
      job: { maxTokens: 50 },
      tokens: [1, 1, 1, 1, 1, 1, 1, 1],
      text: "aaaaaaaa",
      finish: { reason: "length" },
      why: "4 of prompt and 8 generated fill the context of 12",
    },
  ])("$why", ({ job, tokens, text, finish }) => {
    expect(open(job).text(...tokens)).toBe(text);
    expect(open(job).finish(...tokens)).toEqual(finish);
  });

  const grammar = { grammar: "root ::= [a-z]", trigger: null, otherwise: null };
  it.each([
    { constraint: grammar, first: 1, ends: true, why: "the whole text is constrained" },
    { constraint: { ...grammar, trigger: 5 }, first: 5, ends: true, why: "the first token triggered the grammar" },
    { constraint: { ...grammar, trigger: 5 }, first: 1, ends: false, why: "it did not" },
    { constraint: { ...grammar, trigger: 5, otherwise: "root" }, first: 1, ends: true, why: "another grammar applies" },
    { constraint: null, first: 1, ends: false, why: "no constraint" },
  ])(
    "ends a text at the grammar's end although end tokens are ignored: $ends ($why)",
    ({ constraint, first, ends }) => {
      const finish = open({ constraint, ignoreEos: true }).finish(first, 90);
      expect(finish).toEqual(ends ? { reason: "stop", matched: 90 } : undefined);
    },
  );

  it("drops what was drawn after the end, as with drafts", () => {
    const { generation, sequence } = open();
    const tokens = [1, 90, 2].map(fakeScore);
    const events = generation.advance({ span: fakeSpan(sequence), tokens, scores: [], pooled: null, error: null });
    expect(events.map((event) => event.tokens)).toEqual([[1], [90]]);
    expect(events.at(-1)?.usage?.completionTokens).toBe(2);
  });

  it("ends with the error of a failed draw, behind the tokens before it and their text", () => {
    const { generation, sequence } = open({ stop: ["abc"] });
    const error = new RhoneError("STAGE_FAILED", "late");
    const tokens = [fakeScore(1)];
    const events = generation.advance({ span: fakeSpan(sequence), tokens, scores: [], pooled: null, error });
    expect(events.map((event) => event.tokens)).toEqual([[1], []]);
    expect(events.map(({ text }) => text).join("")).toBe("a");
    expect(events.at(-1)?.finish).toEqual({ reason: "error", code: "STAGE_FAILED", message: "late" });
  });

  it("shows an incomplete character only at the end, as U+FFFD", () => {
    const { draw, generation } = open();
    expect(draw(27, 28).map(({ text }) => text)).toEqual(["", "é"]);
    draw(27);
    expect(generation.end({ reason: "cancelled" })).toMatchObject({ text: "\ufffd", finish: { reason: "cancelled" } });
  });
});

describe("Generation, its events", () => {
  it("numbers them and adds usage to the last", () => {
    const events = open({ maxTokens: 2 }).draw(1, 2);
    expect(events.map(({ ordinal, tokens }) => [ordinal, tokens])).toEqual([
      [0, [1]],
      [1, [2]],
    ]);
    expect(events[0]?.usage).toBeUndefined();
    expect(events[1]?.usage).toEqual({ promptTokens: 4, completionTokens: 2, cachedTokens: 0 });
  });

  it("continues behind recorded tokens, with the text that they held back", () => {
    const { draw } = open({ stop: ["abc"] }, { tokens: [1, 2], ordinal: 2 });
    const [event] = draw(4);
    expect(event).toMatchObject({ ordinal: 2, text: "abd" });
  });

  it("carries log-probabilities only when they are asked for", () => {
    expect(open({ logprobs: 0 }).draw(1)[0]?.logprobs).toEqual([fakeScore(1)]);
    expect(open().draw(1)[0]).not.toHaveProperty("logprobs");
  });

  it("carries the scores of each chunk of a prompt once, also when chunks are computed again", () => {
    const { chunk, generation, sequence } = scoring();
    expect(chunk(0, 11, 12)).toMatchObject([{ ordinal: 0, tokens: [], promptLogprobs: [11, 12].map(fakeScore) }]);
    // An eviction made it start again.
    expect(chunk(0, 11)).toEqual([]);
    expect(chunk(1, 12, 13)).toMatchObject([{ ordinal: 1, promptLogprobs: [fakeScore(13)] }]);
    const tokens = [1, 2].map(fakeScore);
    const span = fakeSpan(sequence, { position: 3, count: 1 });
    const events = generation.advance({ span, tokens, scores: [fakeScore(14)], pooled: null, error: null });
    expect(events.map(({ promptLogprobs }) => promptLogprobs)).toEqual([[fakeScore(14)], undefined]);
  });

  it("carries the scores that another coordinator's events lack", () => {
    const { chunk } = scoring({ ordinal: 2, scored: 2 });
    expect(chunk(0, 11, 12, 13)).toMatchObject([{ ordinal: 2, promptLogprobs: [fakeScore(13)] }]);
  });

  it("carries the last scores with the end where no token is wanted", () => {
    const { chunk } = scoring({}, { maxTokens: 0 });
    expect(chunk(0, 11)).toMatchObject([{ promptLogprobs: [fakeScore(11)] }]);
    expect(chunk(1, 12, 13)).toMatchObject([{ promptLogprobs: [12, 13].map(fakeScore), finish: { reason: "length" } }]);
  });

  it("ends a request without tokens when its whole prompt is computed", () => {
    const { generation, sequence } = open({ maxTokens: 0, pooling: "mean" });
    const part = (position: number, count: number, sum: readonly number[]) =>
      generation.advance({
        span: fakeSpan(sequence, { position, count, sample: false }),
        tokens: [],
        scores: [],
        pooled: Float32Array.from(sum),
        error: null,
      });
    expect(part(0, 2, [1, 0])).toEqual([]);
    const [event, ...more] = part(2, 2, [2, 4]);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ tokens: [], finish: { reason: "length" } });
    // The sum [3, 4] at length 1.
    const bytes = Buffer.from(event?.embedding ?? "", "base64");
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
  });
});

describe("refusalOf", () => {
  const { sampling } = fakeSequence().job;
  const biased = (token: number) => ({
    ...sampling,
    logitBias: packBias({ tokens: Int32Array.of(token), values: Float32Array.of(1) }),
  });
  const triggeredBy = (trigger: number) => ({ grammar: 'root ::= "a"', trigger, otherwise: null });
  const refused = (job: Parameters<typeof fakeSequence>[0]) => refusalOf(fakeSequence(job), rules);
  it.each([
    { job: { promptLength: 12 }, finish: { reason: "error", code: "CONTEXT_LENGTH_EXCEEDED" } },
    { job: { promptLength: 13, maxTokens: 0, pooling: "mean" as const }, finish: { code: "CONTEXT_LENGTH_EXCEEDED" } },
    { job: { deadlineAtMs: Date.now() - 1 }, finish: { reason: "error", code: "DEADLINE_EXCEEDED" } },
    { job: { maxTokens: 0 }, finish: { reason: "length" } },
    { job: { maxTokens: 0, promptLogprobs: 0, promptLength: 1 }, finish: { reason: "length" } },
    { job: { promptIds: [1, 100] }, finish: { reason: "error", code: "INVALID_REQUEST" } },
    { job: { sampling: biased(100) }, finish: { code: "INVALID_REQUEST" } },
    { job: { constraint: triggeredBy(100) }, finish: { code: "INVALID_REQUEST" } },
  ])("refuses case %#: $finish", ({ job, finish }) => expect(refused(job)).toMatchObject(finish));

  it.each([
    { promptLength: 11 },
    { promptLength: 12, maxTokens: 0, pooling: "mean" as const },
    { promptLength: 12, maxTokens: 0, promptLogprobs: 0 },
    { promptIds: [0, 99], sampling: biased(99), constraint: triggeredBy(99), stopTokenIds: [100] },
  ])("takes %j", (job) => expect(refused(job)).toBeNull());

  it("says both numbers", () => {
    expect(refused({ promptLength: 12 })).toMatchObject({
      message: expect.stringContaining("has 12 tokens; the model"),
    });
  });
});
