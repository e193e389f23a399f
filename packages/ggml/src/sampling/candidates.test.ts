import { describe, expect, it } from "vitest";
import { Candidates } from "./candidates.js";

const NONE = Number.NEGATIVE_INFINITY;
const filled = (logits: readonly number[], floor = NONE) => {
  const candidates = new Candidates(logits.length);
  candidates.fill(Float32Array.from(logits), floor);
  return candidates;
};

describe("Candidates.fill", () => {
  it.each([
    { name: "every number", logits: [1, -2, 3], floor: NONE, count: 3 },
    { name: "no banned token", logits: [1, NONE, 3], floor: NONE, count: 2 },
    { name: "no NaN", logits: [1, Number.NaN, 3], floor: NONE, count: 2 },
    { name: "those at the floor and above", logits: [1, 2, 3], floor: 2, count: 2 },
    { name: "nothing under a floor above all", logits: [1, 2, 3], floor: 4, count: 0 },
  ])("takes $name", ({ logits, floor, count }) => {
    expect(filled(logits, floor).count).toBe(count);
  });

  it("forgets what it held before", () => {
    const candidates = filled([1, 2, 3]);
    candidates.fill(Float32Array.of(NONE, 5, NONE), NONE);
    expect(candidates.count).toBe(1);
    expect(candidates.draw(0.99, 1)).toBe(1);
  });
});

describe("Candidates.draw", () => {
  // Probabilities 1/2, 1/4, 1/8, 1/8.
  const logits = [3, 2, 1, 1].map((power) => Math.log(2) * power);

  it.each([
    { uniform: 0, token: 0 },
    { uniform: 0.499, token: 0 },
    { uniform: 0.501, token: 1 },
    { uniform: 0.749, token: 1 },
    { uniform: 0.751, token: 2 },
    { uniform: 0.874, token: 2 },
    { uniform: 0.876, token: 3 },
    { uniform: 1 - 2 ** -53, token: 3 },
  ])("at $uniform is token $token: intervals in the order of ids", ({ uniform, token }) => {
    expect(filled(logits).draw(uniform, 1)).toBe(token);
  });

  it("flattens with a high temperature and sharpens with a low one", () => {
    expect(filled(logits).draw(0.49, 100)).toBe(1);
    expect(filled(logits).draw(0.99, 0.05)).toBe(0);
  });

  it("never takes a token of no weight, not even at the edge", () => {
    expect(filled([-1000, 0, -1000]).draw(0, 1)).toBe(1);
    expect(filled([-1000, 0, -1000]).draw(1 - 2 ** -53, 1)).toBe(1);
  });

  it("is -1 when nothing is left", () => {
    expect(filled([NONE, NONE]).draw(0.5, 1)).toBe(-1);
  });
});
