import { openEngine } from "@rhone/ggml";
import type { TokenMatcher } from "@rhone/grammar";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { sequenceOpen } from "../testing/steps.js";
import { SequenceSampler, scoreOf } from "./sequence-sampler.js";

const engine = openEngine();
const N_VOCAB = 8;
/** Token 5 is the most probable, then 4, 3 … */
const LOGITS = [0, 1, 2, 3, 4, 5, -1, -2];
const logits = (): Float32Array => Float32Array.from(LOGITS);

function open(options: Parameters<typeof sequenceOpen>[0], matcher: TokenMatcher | null = null): SequenceSampler {
  const sampler = new SequenceSampler(engine, N_VOCAB, { open: sequenceOpen(options), matcher });
  onTestFinished(() => sampler.close());
  return sampler;
}
const drawn = (sampler: SequenceSampler, position = 0): number => sampler.draw(logits(), position).token;

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
    const draw = (position: number, seed = 9) => drawn(open({ sampling: { ...sampling, seed } }), position);
    const all = Array.from({ length: 40 }, (_, position) => draw(position));
    expect(Array.from({ length: 40 }, (_, position) => draw(position))).toEqual(all);
    expect(new Set(all).size).toBeGreaterThan(3);
    expect(Array.from({ length: 40 }, (_, position) => draw(position, 10))).not.toEqual(all);
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

describe("log-probabilities", () => {
  it("are reported only when asked for", () => {
    expect(open({}).draw(logits(), 0)).toEqual({ token: 5, logprob: null, top: [] });
    expect(open({ sampling: { logprobs: 0 } }).draw(logits(), 0)).toEqual({
      token: 5,
      logprob: expect.closeTo(5 - Math.log(LOGITS.reduce((sum, logit) => sum + Math.exp(logit), 0)), 5),
      top: [],
    });
  });

  it("are of the distribution before bans", () => {
    const { token, logprob, top } = open({ sampling: { logprobs: 2, banned: [5], minPosition: 9 } }).draw(logits(), 0);
    const whole = scoreOf(logits(), 4, 2);
    expect({ token, logprob, top }).toEqual({ token: 4, logprob: whole.logprob, top: whole.top });
    expect(top.map(([id]) => id)).toEqual([5, 4]);
  });
});

describe("a constrained sequence", () => {
  const matcher = () => ({
    mask: vi.fn((row: Float32Array) => void row.fill(Number.NEGATIVE_INFINITY, 3)),
    accept: vi.fn(),
    close: vi.fn(),
  });
  const constraint = { grammar: "g", trigger: null, otherwise: null, lastPosition: 30 };

  it("draws what its grammar allows, and tells the grammar what it drew", () => {
    const held = matcher();
    const sampler = open({ constraint, sampling: { banned: [1], minPosition: 20 } }, held as unknown as TokenMatcher);
    expect(drawn(sampler, 12)).toBe(2);
    expect(held.mask).toHaveBeenCalledWith(expect.any(Float32Array), [1], 18); // 30 - 12 tokens remain
    expect(held.accept).toHaveBeenCalledWith(2);
  });

  it("owns its matcher", () => {
    const held = matcher();
    const own = new SequenceSampler(engine, N_VOCAB, {
      open: sequenceOpen({ constraint }),
      matcher: held as unknown as TokenMatcher,
    });
    own.close();
    expect(held.close).toHaveBeenCalledTimes(1);
  });
});
