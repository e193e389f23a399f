import { describe, expect, it } from "vitest";
import { indexOfMax, logSoftmaxOf, logSumExp, topLogprobs } from "./log-probs.js";

const logits = Float32Array.of(1, 3, -2, 3, Number.NEGATIVE_INFINITY, 0.5);
const exact = (id: number) => {
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  return (logits[id] ?? 0) - Math.log(sum);
};

describe("logSoftmaxOf", () => {
  it.each([0, 1, 2, 3, 5])("equals the textbook's value for token %i", (id) => {
    expect(logSoftmaxOf(logits, id)).toBeCloseTo(exact(id), 7);
  });

  it("gives -Infinity to a banned token", () => {
    expect(logSoftmaxOf(logits, 4)).toBe(Number.NEGATIVE_INFINITY);
  });

  it("doesn't overflow", () => {
    expect(logSumExp(Float32Array.of(1e30, 1e30))).toBeCloseTo(Math.fround(1e30), 0);
  });
});

describe("topLogprobs", () => {
  it("lists the best first and the lower id first among equals", () => {
    expect(topLogprobs(logits, 3).map(({ id }) => id)).toEqual([1, 3, 0]);
    expect(topLogprobs(logits, 1)[0]?.logprob).toBeCloseTo(exact(1), 7);
  });

  it("leaves NaN out, in front too", () => {
    const broken = Float32Array.of(Number.NaN, 1, Number.NaN, 2);
    expect(topLogprobs(broken, 3).map(({ id }) => id)).toEqual([3, 1]);
  });

  it("gives all when asked for more than there are, and none for 0", () => {
    expect(topLogprobs(logits, 99)).toHaveLength(6);
    expect(topLogprobs(logits, 0)).toEqual([]);
  });
});

describe("indexOfMax", () => {
  const [nan, low] = [Number.NaN, Number.NEGATIVE_INFINITY];
  it.each([
    { name: "the greatest", values: [1, 9, 3], index: 1 },
    { name: "the first among equals", values: [2, 7, 7], index: 1 },
    { name: "a number beside NaN", values: [nan, -5, nan], index: 1 },
    { name: "none without a number", values: [nan, low, low], index: -1 },
    { name: "none of nothing", values: [], index: -1 },
  ])("finds $name", ({ values, index }) => {
    expect(indexOfMax(Float32Array.from(values))).toBe(index);
  });
});
