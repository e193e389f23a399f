import { expect, test } from "vitest";
import { RandomPrompts } from "./random-prompts.js";
import { RepeatingPrompts } from "./repeating-prompts.js";

test("a prompt says the same tokens so many times, and each prompt others", () => {
  const prompts = new RepeatingPrompts(new RandomPrompts({ vocabSize: 32000, seed: 1 }), 3);
  const [first = [], second = []] = prompts.prompts(2, 10);
  expect(first).toHaveLength(10);
  expect(first.slice(4, 8)).toEqual(first.slice(0, 4));
  expect(first.slice(8)).toEqual(first.slice(0, 2));
  expect(second.slice(0, 4)).not.toEqual(first.slice(0, 4));
});
