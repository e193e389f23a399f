import { expect, test } from "vitest";
import { RandomPrompts, RepeatingPrompts } from "./prompts.js";

test("equal seeds give equal prompts of text tokens, other seeds and further prompts give others", () => {
  const one = new RandomPrompts({ vocabSize: 1000, seed: 5 }).prompts(3, 200);
  expect(new RandomPrompts({ vocabSize: 1000, seed: 5 }).prompts(3, 200)).toEqual(one);
  expect(one.map(({ length }) => length)).toEqual([200, 200, 200]);
  expect(one.flat().every((id) => Number.isInteger(id) && id >= 260 && id < 1000)).toBe(true);
  expect(new Set([...one, new RandomPrompts({ vocabSize: 1000, seed: 6 }).prompt(200)].map(String)).size).toBe(4);
});

test("a tiny vocabulary still gives its own ids", () => {
  expect(new RandomPrompts({ vocabSize: 16, seed: 1 }).prompt(50).every((id) => id >= 8 && id < 16)).toBe(true);
});

test("a prompt repeats its tokens, and every prompt has its own", () => {
  const prompts = new RepeatingPrompts(new RandomPrompts({ vocabSize: 32000, seed: 1 }), 3);
  const [first = [], second = []] = prompts.prompts(2, 10);
  expect(first).toHaveLength(10);
  expect(first.slice(4, 8)).toEqual(first.slice(0, 4));
  expect(first.slice(8)).toEqual(first.slice(0, 2));
  expect(second.slice(0, 4)).not.toEqual(first.slice(0, 4));
});
