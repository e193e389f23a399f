import { describe, expect, it } from "vitest";
import { series } from "../testing/series.js";
import { Weights } from "./weights.js";

const NONE = Number.NEGATIVE_INFINITY;
const natural = { best: 0, factor: Math.LOG2E, floor: NONE };

describe("Weights", () => {
  it.each([1, 2, 1000, 32_000, 131_072])("of %d tokens sum up to at most 2^53", (nVocab) => {
    const one = new Weights(natural, nVocab).of(0);
    expect(one * nVocab).toBeLessThanOrEqual(2 ** 53);
    expect(one * nVocab).toBeGreaterThan(2 ** 52 - 1);
    expect(Math.log(one)).toBeCloseTo(Weights.logOfBest(nVocab), 10);
  });

  it("follow the exponential function, and are whole", () => {
    const weights = new Weights(natural, 1000);
    const one = weights.of(0);
    for (let x = 0; x > -25; x -= 0.00317) {
      const weight = weights.of(x);
      expect(Number.isInteger(weight)).toBe(true);
      expect(Math.abs(weight - Math.exp(x) * one)).toBeLessThanOrEqual(0.5 + 1e-11 * weight);
    }
  });

  it("add up to the same in any order", () => {
    const logits = series(131_072).map((value) => 20 * value);
    const weights = new Weights({ ...natural, best: 20 }, logits.length);
    expect(weights.total(logits.toReversed())).toBe(weights.total(logits));
    expect(weights.total(logits.toSorted())).toBe(weights.total(logits));
  });

  it.each([
    ["NaN", Number.NaN],
    ["-Infinity", NONE],
    ["what is e^-60 as probable as the best", -60],
    ["what is below the floor", -2],
  ])("of %s are 0", (_, logit) => {
    expect(new Weights({ ...natural, floor: -1 }, 8).of(logit)).toBe(0);
    if (logit !== -2) expect(new Weights(natural, 8).of(logit)).toBe(0);
  });

  it("keep a floor that is a logit", () => {
    expect(new Weights({ ...natural, floor: -1 }, 8).of(-1)).toBeGreaterThan(0);
  });
});
