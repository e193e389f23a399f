import { expect, it } from "vitest";
import { DraftTally } from "./draft-tally.js";

it("counts guesses, and those that were right, by their place", () => {
  const tally = new DraftTally();
  tally.add(3, 1);
  tally.add(0, 0);
  tally.add(1, 1);
  tally.add(2, 0);
  expect(tally.counts).toEqual({ rounds: 3, guessed: [3, 2, 1], right: [2, 0, 0] });
});
