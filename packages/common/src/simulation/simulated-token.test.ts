import { describe, expect, it } from "vitest";
import { simulatedDraw, simulatedToken, simulatedTokens } from "./simulated-token.js";

const VOCABULARY = 32_000;
const token = (last: number, position: number) => simulatedToken(last, position, VOCABULARY);

describe("the rule of simulated stages", () => {
  it("depends on token and position alone, and on both", () => {
    expect(token(500, 7)).toBe(token(500, 7));
    const next = new Set(Array.from({ length: 100 }, (_, index) => token(500, index)));
    const others = new Set(Array.from({ length: 100 }, (_, index) => token(500 + index, 7)));
    expect(next.size).toBeGreaterThan(95);
    expect(others.size).toBeGreaterThan(95);
  });

  it.each([300, 1000, VOCABULARY])("draws no control or byte token of %i", (vocabSize) => {
    const drawn = Array.from({ length: 2000 }, (_, index) => simulatedToken(index, index, vocabSize));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(259);
    expect(Math.max(...drawn)).toBeLessThan(vocabSize);
  });

  it("draws the one token that a tiny vocabulary leaves", () => expect(simulatedToken(3, 4, 5)).toBe(4));
});

describe("simulatedTokens", () => {
  it("continues a prompt token by token", () => {
    const answer = simulatedTokens([11, 12, 13], 3, VOCABULARY);
    const first = token(13, 2);
    const second = token(first, 3);
    expect(answer).toEqual([first, second, token(second, 4)]);
  });

  it("goes on from a prompt that ends with a part of the answer", () => {
    const answer = simulatedTokens([11, 12], 6, VOCABULARY);
    expect(simulatedTokens([11, 12, ...answer.slice(0, 2)], 4, VOCABULARY)).toEqual(answer.slice(2));
  });
});

describe("simulatedDraw", () => {
  const [a = 0, b = 0, c = 0] = simulatedTokens([11, 12], 3, VOCABULARY);
  const wrong = a === 300 ? 301 : 300;

  it.each([
    ["a prompt", [11, 12], 0, 0, [a]],
    ["a decode row", [12], 1, 0, [a]],
    ["two right guesses", [12, a, b], 1, 2, [a, b, c]],
    ["a wrong first guess", [12, wrong, b], 1, 2, [a]],
    ["a wrong second guess", [12, a, wrong], 1, 2, [a, b]],
    ["a prompt with a right guess", [11, 12, a], 0, 1, [a, b]],
  ])("for %s", (_, tokens, position, drafts, expected) => {
    expect(simulatedDraw({ tokens: Int32Array.from(tokens), position, drafts }, VOCABULARY)).toEqual(expected);
  });
});
