import { expect, it } from "vitest";
import { TokenTally } from "./token-tally.js";

it("counts guesses, and those that were right, by their place", () => {
  const tally = new TokenTally();
  tally.drew({ generated: 2, guessed: 3, right: 1 });
  tally.drew({ generated: 1, guessed: 0, right: 0 });
  tally.drew({ generated: 2, guessed: 1, right: 1 });
  tally.drew({ generated: 1, guessed: 2, right: 0 });
  expect(tally.drafts).toEqual({ rounds: 3, guessed: [3, 2, 1], right: [2, 0, 0] });
  expect(tally.tokens).toMatchObject({ generated: 6, drafted: 6, accepted: 2 });
});

it("counts prompts, and what of those that ended came from the cache", () => {
  const tally = new TokenTally();
  tally.arrived(10);
  tally.arrived(5);
  tally.ended({ cached: 4, generated: 1 });
  expect(tally.tokens).toMatchObject({ prompt: 15, cached: 4 });
});

it("expects 100 tokens of an answer at first, then as many as the latest had, those before with less weight", () => {
  const tally = new TokenTally();
  expect(tally.answerTokens).toBe(100);
  tally.ended({ cached: 0, generated: 0 }); // nothing was generated: it says nothing about answers
  expect(tally.answerTokens).toBe(100);
  tally.ended({ cached: 0, generated: 200 });
  expect(tally.answerTokens).toBeCloseTo(110);
});
