import { describe, expect, it } from "vitest";
import { readRow } from "./read-row.js";
import { Sampler } from "./sampler.js";
import type { Draw, LogitBias, SamplerOptions } from "./sampling-options.js";

/** [token, bias] pairs. */
const biasOf = (pairs: readonly (readonly [number, number])[]): LogitBias => ({
  tokens: Int32Array.from(pairs, ([token]) => token),
  values: Float32Array.from(pairs, ([, value]) => value),
});

/** Draws from a row as the last stage does. */
function sample(sampler: Sampler, logits: Float32Array, draw: Draw): number {
  return readRow(logits, { row: 0, alternatives: undefined, target: undefined, draw: sampler.request(draw) }).token;
}

const logits = Float32Array.of(0.5, 2, -1, 2, 1.5, -3);

/** How often each token is drawn over `draws` positions. */
function frequencies(options: SamplerOptions, draws = 5000): number[] {
  const sampler = new Sampler(options);
  const counts = new Array<number>(logits.length).fill(0);
  for (let position = 0; position < draws; position++) {
    const token = sample(sampler, logits, { seed: 11, position });
    counts[token] = (counts[token] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

function softmax(values: readonly number[]): number[] {
  const sum = values.reduce((total, value) => total + Math.exp(value), 0);
  return values.map((value) => Math.exp(value) / sum);
}

function expectNear(actual: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of actual.entries()) expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThan(0.015);
}

describe("A draw at temperature 0", () => {
  it("takes the greatest logit, the lower id among equals, whatever the seed", () => {
    const sampler = new Sampler({ temperature: 0, topK: 3, topP: 0.5 });
    expect([1, 2, 3].map((seed) => sample(sampler, logits, { seed, position: seed }))).toEqual([1, 1, 1]);
  });

  it("bans a token with a bias of -Infinity and prefers one with a positive bias", () => {
    const ban = biasOf([[1, Number.NEGATIVE_INFINITY]]);
    expect(sample(new Sampler({ temperature: 0, logitBias: ban }), logits, { seed: 0, position: 0 })).toBe(3);
    const prefer = biasOf([[5, 100]]);
    expect(sample(new Sampler({ temperature: 0, logitBias: prefer }), logits, { seed: 0, position: 0 })).toBe(5);
  });

  it("weighs down repeated tokens: prompt and output for repetition, output alone for presence and frequency", () => {
    const next = (options: SamplerOptions) =>
      sample(new Sampler({ temperature: 0, ...options }), logits, { seed: 0, position: 0 });
    expect(next({ repetitionPenalty: 1.5, promptTokens: [1, 3] })).toBe(4);
    expect(next({ presencePenalty: 1, promptTokens: [1] })).toBe(1);
    expect(next({ presencePenalty: 1, generatedTokens: [1] })).toBe(3);
    expect(next({ frequencyPenalty: 0.3, generatedTokens: [1, 3, 3] })).toBe(1);
    expect(next({ frequencyPenalty: 0.3, generatedTokens: [1, 1, 3, 3] })).toBe(4);
  });

  it("counts accepted tokens, and leaves the caller's logits alone", () => {
    const before = [...logits];
    const sampler = new Sampler({ temperature: 0, presencePenalty: 5 });
    const drawn = [0, 1, 2, 3].map((position) => {
      const token = sample(sampler, logits, { seed: 0, position });
      sampler.accept(token);
      return token;
    });
    expect(drawn).toEqual([1, 3, 4, 0]);
    expect([...logits]).toEqual(before);
  });
});

describe("A draw at random", () => {
  it("draws the same token for the same seed and position, whatever was drawn in between", () => {
    const sampler = new Sampler({ temperature: 1 });
    const draw = (position: number) => sample(sampler, logits, { seed: 9, position });
    const first = Array.from({ length: 50 }, (_, i) => draw(i));
    const backwards = Array.from({ length: 50 }, (_, i) => draw(49 - i)).reverse();
    expect(backwards).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(2);
  });

  it("follows the softmax of logits / temperature", () => {
    expectNear(frequencies({ temperature: 1 }), softmax([...logits]));
    expectNear(frequencies({ temperature: 2 }), softmax(logits.map((logit) => logit / 2) as unknown as number[]));
  });

  it("keeps only what top_k, top_p and min_p leave", () => {
    expect(frequencies({ topK: 1 }, 100).filter((f) => f > 0)).toEqual([1]);
    const three = softmax([2, 2, 1.5]);
    const expected = [0, three[0] ?? 0, 0, three[1] ?? 0, three[2] ?? 0, 0];
    expectNear(frequencies({ topK: 3 }), expected);
    // 0.339, 0.339, 0.206: two reach 0.6, three reach 0.8.
    expectNear(frequencies({ topP: 0.6 }), [0, 0.5, 0, 0.5, 0, 0]);
    expectNear(frequencies({ topP: 0.8 }), expected);
    // exp(1.5 - 2) = 0.61, exp(0.5 - 2) = 0.22.
    expectNear(frequencies({ minP: 0.5 }), expected);
  });

  it("cuts after the temperature was applied, as vLLM does", () => {
    expectNear(frequencies({ temperature: 0.1, topP: 0.9 }), [0, 0.5, 0, 0.5, 0, 0]);
    expect(frequencies({ temperature: 5, topP: 0.9 }).filter((f) => f > 0).length).toBe(5);
  });

  it("is -1 when no logit is a finite number", () => {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY])
      for (const options of [{ temperature: 0 }, {}, { topP: 0.5 }, { topK: 2 }])
        expect(sample(new Sampler(options), new Float32Array(6).fill(value), { seed: 0, position: 3 })).toBe(-1);
  });

  it("never draws a banned token", () => {
    const banned = frequencies({
      logitBias: biasOf([
        [1, Number.NEGATIVE_INFINITY],
        [4, Number.NEGATIVE_INFINITY],
      ]),
    });
    expect([banned[1], banned[4]]).toEqual([0, 0]);
  });

  it("finds the one possible token among 32,000", () => {
    const wide = new Float32Array(32000).fill(Number.NEGATIVE_INFINITY);
    wide[31999] = -5;
    for (const options of [{}, { topP: 0.5 }, { topK: 40, topP: 0.95, minP: 0.1 }, { temperature: 0 }]) {
      expect(sample(new Sampler(options), wide, { seed: 1, position: 1 })).toBe(31999);
    }
  });
});

describe("A sequence that continues", () => {
  it("draws as if it had never stopped: the same tokens after any cut", () => {
    const options = {
      temperature: 0.9,
      topP: 0.95,
      presencePenalty: 0.4,
      frequencyPenalty: 0.2,
      repetitionPenalty: 1.1,
    };
    const draw = (sampler: Sampler, positions: readonly number[]) =>
      positions.map((position) => {
        const token = sample(sampler, logits, { seed: 3, position });
        sampler.accept(token);
        return token;
      });
    const positions = Array.from({ length: 24 }, (_, i) => 10 + i);
    const promptTokens = [0, 4];
    const whole = draw(new Sampler({ ...options, promptTokens }), positions);
    expect(new Set(whole).size).toBeGreaterThan(3);
    for (const cut of [1, 7, 23]) {
      const generatedTokens = whole.slice(0, cut);
      const rest = draw(new Sampler({ ...options, promptTokens, generatedTokens }), positions.slice(cut));
      expect(rest).toEqual(whole.slice(cut));
    }
  });

  it("ignores a bias for a token outside the vocabulary", () => {
    const bias = biasOf([
      [99, 100],
      [-1, 100],
    ]);
    expect(sample(new Sampler({ temperature: 0, logitBias: bias }), logits, { seed: 0, position: 0 })).toBe(1);
  });

  it("is greedy under a temperature of 1e-5, whatever else is asked for", () => {
    const tokens = [1, 2, 3, 4].map((seed) =>
      sample(new Sampler({ temperature: 1e-6, topK: 5, minP: 0.01 }), logits, { seed, position: 0 }),
    );
    expect(tokens).toEqual([1, 1, 1, 1]);
  });
});

describe("Options out of range", () => {
  it.each([
    { options: { temperature: -1 }, message: "temperature must be 0 or more; it is -1." },
    { options: { temperature: Number.POSITIVE_INFINITY }, message: "temperature must be 0 or more; it is Infinity." },
    { options: { topP: 0 }, message: "top_p must be above 0 and at most 1; it is 0." },
    { options: { topP: 1.5 }, message: "top_p must be above 0 and at most 1; it is 1.5." },
    { options: { minP: 2 }, message: "min_p must be between 0 and 1; it is 2." },
    { options: { topK: 0.5 }, message: "top_k must be a whole number; it is 0.5." },
    { options: { repetitionPenalty: 0 }, message: "repetition_penalty must be above 0; it is 0." },
    { options: { frequencyPenalty: Number.NaN }, message: "frequency_penalty must be a number; it is NaN." },
    {
      options: { presencePenalty: Number.POSITIVE_INFINITY },
      message: "presence_penalty must be a number; it is Infinity.",
    },
  ])("refuses $options by name", ({ options, message }) => {
    const [param = ""] = message.split(" ");
    expect(() => new Sampler(options)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST", message, param }));
  });
});
