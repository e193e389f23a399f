import { describe, expect, test } from "vitest";
import { llama3RopeFactors, readRope } from "./rope.js";

const LLAMA_3 = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const PARAMETERS = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextLength: 8192 };

describe("readRope", () => {
  test.each([
    ["nothing", {}, { theta: 10_000, scaling: { kind: "none" } }],
    ["theta alone", { rope_theta: 1_000_000 }, { theta: 1_000_000, scaling: { kind: "none" } }],
    ["a scaling that is null", { rope_scaling: null }, { theta: 10_000, scaling: { kind: "none" } }],
    [
      "linear",
      { rope_scaling: { type: "linear", factor: 2 } },
      { theta: 10_000, scaling: { kind: "linear", factor: 2 } },
    ],
    [
      "theta inside rope_parameters",
      { rope_parameters: { rope_theta: 5, rope_type: "default" } },
      { theta: 5, scaling: { kind: "none" } },
    ],
    [
      "Llama 3's",
      { rope_theta: 500_000, rope_scaling: LLAMA_3 },
      { theta: 500_000, scaling: { kind: "frequency-factors" } },
    ],
  ])("reads %s", (_, json, expected) => {
    expect(readRope("config.json", json)).toMatchObject(expected);
  });

  test("keeps the parameters of Llama 3's factors, and of no other kind", () => {
    expect(readRope("config.json", { rope_scaling: LLAMA_3 }).llama3).toEqual(PARAMETERS);
    expect(readRope("config.json", {}).llama3).toBeUndefined();
  });

  test.each([
    ["YaRN", { rope_scaling: { type: "yarn", factor: 4 } }, "MODEL_UNSUPPORTED", /type yarn/],
    ["a factor of 0", { rope_scaling: { type: "linear", factor: 0 } }, "CHECKPOINT_MALFORMED", /factor is 0/],
    ["a missing factor", { rope_scaling: { rope_type: "linear" } }, "CHECKPOINT_MALFORMED", /factor is missing/],
    ["theta as text", { rope_theta: "10000" }, "CHECKPOINT_MALFORMED", /rope_theta is "10000"/],
    [
      "half a context",
      { rope_scaling: { ...LLAMA_3, original_max_position_embeddings: 0.5 } },
      "CHECKPOINT_MALFORMED",
      /0.5/,
    ],
  ])("refuses %s", (_, json, code, message) => {
    const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) });
    expect(() => readRope("config.json", json)).toThrow(refusal);
  });
});

describe("llama3RopeFactors", () => {
  const factors = llama3RopeFactors(PARAMETERS, { headDim: 128, theta: 500_000 });
  const wavelength = (pair: number): number => 2 * Math.PI * 500_000 ** (pair / 64);

  test("has one divisor per pair, growing from 1 to the factor", () => {
    expect(factors).toHaveLength(64);
    expect([...factors]).toEqual([...factors].toSorted((a, b) => a - b));
    expect([factors[0], factors[63]]).toEqual([1, 8]);
  });

  test("leaves waves below 8192 / 4 positions alone and stretches those above 8192 by 8", () => {
    for (const [pair, factor] of factors.entries()) {
      if (wavelength(pair) < 2048) expect(factor).toBe(1);
      else if (wavelength(pair) > 8192) expect(factor).toBe(8);
      else expect(factor > 1 && factor < 8).toBe(true);
    }
  });

  test("blends between, by hand for pair 30", () => {
    // Wavelength 2 pi * 500000^(30/64) = 2948.3; smooth = (8192/2948.3 - 1) / 3 = 0.59285;
    // 1 / (0.40715 / 8 + 0.59285) = 1.5534.
    expect(wavelength(30)).toBeCloseTo(2948.3, 1);
    expect(factors[30]).toBeCloseTo(1.5534, 4);
  });
});
