import { readRow } from "@rhone/ggml";
import type { TokenMatcher } from "@rhone/grammar";
import { describe, expect, it, onTestFinished, test, vi } from "vitest";
import { sequenceOpen } from "../testing/steps.js";
import type { TokenScore } from "../wire/step.js";
import { SequenceSampler } from "./sequence-sampler.js";

/** Token 5 is the most probable, then 4, 3 … */
const LOGITS = [0, 1, 2, 3, 4, 5, -1, -2];
const logits = (): Float32Array => Float32Array.from(LOGITS);

function open(options: Parameters<typeof sequenceOpen>[0], matcher: TokenMatcher | null = null): SequenceSampler {
  const sampler = new SequenceSampler(sequenceOpen(options), matcher);
  onTestFinished(() => sampler.close());
  return sampler;
}
/** As the last stage does it with a row of logits. */
function draw(sampler: SequenceSampler, position = 0, row = logits()): TokenScore {
  return sampler.accept(readRow(row, { row: 0, target: undefined, ...sampler.request(position) }), position);
}
const drawn = (sampler: SequenceSampler, position = 0): number => draw(sampler, position).token;

describe("a sequence's draw", () => {
  it.each([
    ["the most probable token", {}, 5],
    ["what a bias lifts", { logitBias: { tokens: Int32Array.of(1), values: Float32Array.of(10) } }, 1],
    [
      "what is left when a bias presses the best down",
      { logitBias: { tokens: Int32Array.of(5), values: Float32Array.of(-100) } },
      4,
    ],
    ["the best of one token, at any temperature", { temperature: 2, topK: 1 }, 5],
    ["the best within a tiny top_p, at any temperature", { temperature: 2, topP: 1e-6 }, 5],
    ["none that is less than half as probable as the best", { temperature: 2, minP: 0.999 }, 5],
    ["no banned token below min_position", { banned: [5, 4], minPosition: 1 }, 3],
    ["a banned token from min_position on", { banned: [5, 4], minPosition: 0 }, 5],
  ])("is %s", (_name, sampling, token) => {
    expect(drawn(open({ sampling }))).toBe(token);
  });

  it("depends on the seed and the position alone", () => {
    const sampling = { temperature: 2, seed: 9 };
    const at = (position: number, seed = 9) => drawn(open({ sampling: { ...sampling, seed } }), position);
    const all = Array.from({ length: 40 }, (_, position) => at(position));
    expect(Array.from({ length: 40 }, (_, position) => at(position))).toEqual(all);
    expect(new Set(all).size).toBeGreaterThan(3);
    expect(Array.from({ length: 40 }, (_, position) => at(position, 10))).not.toEqual(all);
    const one = open({ sampling });
    expect(Array.from({ length: 40 }, (_, position) => drawn(one, position))).toEqual(all);
  });

  it.each([
    ["frequency", { frequencyPenalty: 0.6 }, [5, 5, 4]],
    ["presence", { presencePenalty: 1.5 }, [5, 4, 5]],
    ["repetition", { repetitionPenalty: 2 }, [5, 4, 3]],
  ])("counts what it drew for the %s penalty", (_name, penalty, tokens) => {
    const sampler = open({ sampling: penalty });
    expect(tokens.map((_, position) => drawn(sampler, position))).toEqual(tokens);
  });

  it.each([
    ["generated tokens for every penalty", { generated: Int32Array.of(5) }, { presencePenalty: 1.5 }, 4],
    ["prompt tokens for the repetition penalty", { history: Int32Array.of(5) }, { repetitionPenalty: 2 }, 4],
    ["prompt tokens for no other penalty", { history: Int32Array.of(5) }, { presencePenalty: 1.5 }, 5],
  ])("counts %s, from before it was opened", (_name, before, sampling, token) => {
    expect(drawn(open({ ...before, sampling }))).toBe(token);
  });
});

test("a draw from a row without a finite number fails, and names the position", () => {
  const nothing = new Float32Array(8).fill(Number.NaN);
  expect(() => draw(open({}), 6, nothing)).toThrow(
    expect.objectContaining({ code: "GGML_FAILED", message: expect.stringContaining("position 7") }),
  );
});

describe("log-probabilities", () => {
  it("are reported only when asked for", () => {
    expect(draw(open({}))).toEqual({ token: 5, logprob: null, top: [] });
    expect(draw(open({ sampling: { logprobs: 0 } }))).toEqual({
      token: 5,
      logprob: expect.closeTo(5 - Math.log(LOGITS.reduce((sum, logit) => sum + Math.exp(logit), 0)), 5),
      top: [],
    });
  });

  it("are of the distribution before bans", () => {
    const { token, logprob, top } = draw(open({ sampling: { logprobs: 2, banned: [5], minPosition: 9 } }));
    const whole = readRow(logits(), { row: 0, target: 4, alternatives: 2, draw: undefined });
    expect({ token, logprob }).toEqual({ token: 4, logprob: whole.targetLogprob });
    expect(top).toEqual(whole.top.map((one) => [one.id, one.logprob]));
    expect(top.map(([id]) => id)).toEqual([5, 4]);
  });
});

describe("a constrained sequence", () => {
  const matcher = () => ({
    allowed: vi.fn(() => Int32Array.of(0b101)),
    accept: vi.fn(),
    close: vi.fn(),
  });
  const constraint = { grammar: "g", trigger: null, otherwise: null, lastPosition: 30 };

  it("draws what its grammar allows, and tells the grammar what it drew", () => {
    const held = matcher();
    const sampler = open({ constraint, sampling: { banned: [1], minPosition: 20 } }, held as unknown as TokenMatcher);
    expect(drawn(sampler, 12)).toBe(2);
    expect(held.allowed).toHaveBeenCalledWith([1], 18); // 30 - 12 tokens remain
    expect(held.accept).toHaveBeenCalledWith(2);
  });

  it("draws any token but banned ones while its grammar does not hold", () => {
    const held = { ...matcher(), allowed: () => undefined };
    const sampling = { banned: [5], minPosition: 20 };
    expect(drawn(open({ constraint, sampling }, held as unknown as TokenMatcher))).toBe(4);
  });

  it("owns its matcher", () => {
    const held = matcher();
    const own = new SequenceSampler(sequenceOpen({ constraint }), held as unknown as TokenMatcher);
    own.close();
    expect(held.close).toHaveBeenCalledTimes(1);
  });
});
