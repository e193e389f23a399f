import { describe, expect, it } from "vitest";
import { fakeBatch, fakeSpan } from "../testing/fake-span.js";
import { fakeSequence } from "../testing/scheduling.js";
import { decodeResult, decodeTimes } from "./decode-result.js";

const VOCABULARY = 100;
const tokens = (...ids: readonly number[]) => ids.map((token) => ({ token, logprob: -token }));

describe("decodeResult", () => {
  it("gives each span its own answer, whatever the order of the results", () => {
    const batch = fakeBatch([fakeSpan(fakeSequence()), fakeSpan(fakeSequence(), { wireId: 2 })]);
    const spans = [
      { sequence: 2, tokens: tokens(20) },
      { sequence: 1, tokens: tokens(10) },
    ];
    const answers = decodeResult(batch, { spans }, VOCABULARY);
    expect(answers.map(({ span, tokens: drawn }) => [span.wireId, drawn[0]?.token])).toEqual([
      [1, 10],
      [2, 20],
    ]);
  });

  it("pairs the top tokens with their log-probabilities", () => {
    const result = { sequence: 1, tokens: [{ token: 5, logprob: -0.5, topTokens: [5, 6], topLogprobs: [-0.5, -1] }] };
    const [answer] = decodeResult(fakeBatch([fakeSpan(fakeSequence())]), { spans: [result] }, VOCABULARY);
    expect(answer?.tokens[0]).toEqual({
      token: 5,
      logprob: -0.5,
      top: [
        [5, -0.5],
        [6, -1],
      ],
    });
  });

  it("reads a pooled vector, also from bytes that are not aligned", () => {
    const bytes = new Uint8Array(9);
    new DataView(bytes.buffer).setFloat32(1, 1.5, true);
    const span = fakeSpan(fakeSequence({ maxTokens: 0, pooling: "mean" }), { sample: false });
    const [answer] = decodeResult(
      fakeBatch([span]),
      { spans: [{ sequence: 1, pooled: bytes.subarray(1, 5) }] },
      VOCABULARY,
    );
    expect([...(answer?.pooled ?? [])]).toEqual([1.5]);
  });

  it.each([
    { span: {}, result: {}, error: "drew 0 tokens for positions 0 to 3; 1 to 1 were asked for" },
    { span: {}, result: { tokens: tokens(1, 2) }, error: "drew 2 tokens" },
    { span: { drafts: [8, 9] }, result: { tokens: tokens(1, 2, 3, 4) }, error: "1 to 3 were asked for" },
    { span: { sample: false }, result: { tokens: tokens(1) }, error: "0 to 0 were asked for" },
    { span: { scored: 2 }, result: { tokens: tokens(1), scores: tokens(1) }, error: "scored 1 of 2 prompt tokens" },
  ])("refuses $error", ({ span, result, error }) => {
    const batch = fakeBatch([fakeSpan(fakeSequence(), span)]);
    expect(() => decodeResult(batch, { spans: [{ sequence: 1, ...result }] }, VOCABULARY)).toThrow(error);
  });

  it.each([
    ["a token beyond the vocabulary", { token: 100 }],
    ["an alternative beyond it", { token: 1, topTokens: [4_000_000_000], topLogprobs: [-1] }],
    ["a log-probability that is no number", { token: 1, logprob: Number.NaN }],
    ["an alternative's that is none", { token: 1, topTokens: [2], topLogprobs: [Number.NaN] }],
  ])("refuses %s, so that nobody looks it up", (_, score) => {
    const batch = fakeBatch([fakeSpan(fakeSequence())]);
    const result = { spans: [{ sequence: 1, tokens: [score] }] };
    expect(() => decodeResult(batch, result, VOCABULARY)).toThrow(
      expect.objectContaining({ code: "STAGE_FAILED", message: expect.stringContaining("the vocabulary has 100") }),
    );
  });

  it("takes fewer tokens from a sequence whose draw failed, with the error", () => {
    const batch = fakeBatch([fakeSpan(fakeSequence(), { drafts: [8, 9] })]);
    const answer = (drawn: readonly number[], code: string) =>
      decodeResult(
        batch,
        { spans: [{ sequence: 1, tokens: tokens(...drawn), error: { code, message: "late" } }] },
        VOCABULARY,
      )[0];
    expect(answer([], "GGML_FAILED")).toMatchObject({ tokens: [], error: { code: "GGML_FAILED", message: "late" } });
    expect(answer([8], "WHATEVER")).toMatchObject({ tokens: [{ token: 8 }], error: { code: "STAGE_FAILED" } });
  });

  it.each([[0], [6]])("refuses a pooled vector of %i bytes", (bytes) => {
    const span = fakeSpan(fakeSequence({ maxTokens: 0, pooling: "mean" }), { sample: false });
    const result = { spans: [{ sequence: 1, pooled: new Uint8Array(bytes) }] };
    expect(() => decodeResult(fakeBatch([span]), result, VOCABULARY)).toThrow(`pooled a span into ${bytes} bytes`);
  });
});

describe("decodeTimes", () => {
  it("takes the stages' computing times, and leaves the rest of the way as overhead", () => {
    const timings = [{ computeUs: 4000, queuedUs: 1000 }, { computeUs: 5000 }];
    expect(decodeTimes(timings, 12)).toEqual({ stageMs: [4, 5], overheadMs: 2 });
  });

  it("has no stage times when the stages do not report them", () => {
    expect(decodeTimes([], 12)).toEqual({ stageMs: [], overheadMs: 12 });
  });
});
