import { packBias } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeBatch, fakeSpan } from "../testing/fake-span.js";
import { fakeSequence } from "../testing/scheduling.js";
import { encodeStep } from "./encode-step.js";

const int32 = (bytes: Uint8Array | null | undefined): number[] => [
  ...new Int32Array(Uint8Array.from(bytes ?? []).buffer),
];
const encode = (...args: Parameters<typeof fakeBatch>) => encodeStep(fakeBatch(...args), new Set([2]));

describe("encodeStep", () => {
  it("concatenates the rows of all spans, each with its drafts behind", () => {
    const [a, b] = [fakeSequence({ promptIds: [10, 11, 12] }), fakeSequence({ promptIds: [20] })];
    const step = encode([
      fakeSpan(a, { position: 1, count: 2, sample: false }),
      fakeSpan(b, { wireId: 2, count: 3, drafts: [90, 91], pages: [7], firstPage: 3 }),
    ]);
    expect(int32(step.tokens)).toEqual([11, 12, 20, 90, 91]);
    expect(step.spans).toMatchObject([
      { sequence: 1, position: 1, count: 2, sample: false, drafts: 0, pages: [], pool: false, targets: [] },
      { sequence: 2, position: 0, count: 3, sample: true, drafts: 2, pages: [7], firstPage: 3 },
    ]);
  });

  it("leaves the place of a carried row's token 0", () => {
    const [a, b] = [fakeSequence({ promptIds: [10, 11] }), fakeSequence({ promptIds: [20] })];
    const ahead = fakeSpan(a, { position: 2, count: 1, carried: true });
    const step = encode([ahead, fakeSpan(b, { wireId: 2 })]);
    expect(int32(step.tokens)).toEqual([0, 20]);
    expect(step.spans).toMatchObject([{ position: 2, carried: true }, { carried: false }]);
  });

  it("copies what it needs: tokens that are appended later do not change the frame", () => {
    const sequence = fakeSequence({ promptIds: [10, 11] });
    const step = encode([fakeSpan(sequence)], {
      opens: [{ sequence, wireId: 1 }],
      closes: [4],
      copies: [{ from: 1, to: 2 }],
    });
    sequence.append([50, 51], 1);
    expect(int32(step.tokens)).toEqual([10, 11]);
    expect(int32(step.opens?.[0]?.generated)).toEqual([]);
    expect([step.closes, step.copies]).toEqual([[4], [{ from: 1, to: 2 }]]);
  });

  it("names the prompt token after each scored row", () => {
    const sequence = fakeSequence({ promptIds: [10, 11, 12, 13], promptLogprobs: 5 });
    const step = encode([fakeSpan(sequence, { position: 1, count: 3, scored: 2 })]);
    expect(step.spans).toMatchObject([{ targets: [12, 13], topTargets: 5 }]);
  });

  it("asks for the pooled rows of an embedding", () => {
    const sequence = fakeSequence({ maxTokens: 0, pooling: "mean" });
    expect(encode([fakeSpan(sequence, { sample: false })]).spans).toMatchObject([{ pool: true, sample: false }]);
  });

  const open = (job: Parameters<typeof fakeSequence>[0]) => {
    const sequence = fakeSequence({ promptIds: [10, 11, 12, 13, 14], ...job });
    return encode([], { opens: [{ sequence, wireId: 3 }] }).opens?.[0];
  };
  const sampling = fakeSequence().job.sampling;

  it("opens a sequence with what was generated before, and with its prompt only if that is penalized", () => {
    const opened = open({ generated: [70, 71] });
    expect([opened?.sequence, int32(opened?.generated), int32(opened?.history)]).toEqual([3, [70, 71], []]);
    const penalized = open({ sampling: { ...sampling, repetitionPenalty: 1.1 } });
    expect(int32(penalized?.history)).toEqual([10, 11, 12, 13, 14]);
  });

  it.each([
    { job: { minTokens: 0 }, minPosition: 0, banned: [] },
    { job: { minTokens: 2, ignoreEos: false }, minPosition: 6, banned: [2, 8] },
    { job: { minTokens: 2, ignoreEos: true }, minPosition: 6, banned: [8] },
  ])("bans $banned below position $minPosition for %j", ({ job, minPosition, banned }) => {
    const opened = open({ stopTokenIds: [8], ...job });
    expect(opened?.sampling).toMatchObject({ minPosition, bannedUntilMin: banned });
  });

  it("splits the logit bias into tokens and values, and says which log-probabilities are wanted", () => {
    const opened = open({
      sampling: {
        ...sampling,
        seed: 9,
        logitBias: packBias({ tokens: Int32Array.of(5, 6), values: Float32Array.of(-1, 2) }),
      },
      logprobs: 3,
    });
    expect(int32(opened?.sampling?.biasTokens)).toEqual([5, 6]);
    expect(opened?.sampling?.biasValues).toEqual(Buffer.from(Float32Array.of(-1, 2).buffer));
    expect(opened?.sampling).toMatchObject({
      seed: 9,
      logprobs: true,
      topLogprobs: 3,
    });
    expect(open({})?.sampling).toMatchObject({ logprobs: false, topLogprobs: 0 });
  });

  it("sends a constraint with the last position that it may fill: prompt 5, 8 tokens, so 12", () => {
    const constraint = { grammar: "root", trigger: null, otherwise: null };
    expect(open({ constraint, maxTokens: 8 })?.constraint).toEqual({
      grammar: "root",
      trigger: 0,
      otherwise: "",
      lastPosition: 12,
    });
    expect(open({})).not.toHaveProperty("constraint");
  });

  it("says whose key asked for a sequence", () => {
    expect([open({ keyId: "team" })?.owner, open({})?.owner]).toEqual(["team", ""]);
  });
});
