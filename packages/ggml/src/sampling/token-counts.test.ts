import { expect, test } from "vitest";
import { TokenCounts } from "./token-counts.js";

test("tokens are counted in the order of their first occurrence, however many there are", () => {
  const counts = new TokenCounts();
  for (const token of [7, 3, 7, 7, 5]) counts.add(token);
  expect([[...counts.tokens], [...counts.counts]]).toEqual([
    [7, 3, 5],
    [3, 1, 1],
  ]);
  for (let token = 100; token < 1100; token++) counts.add(token);
  counts.add(100);
  expect([counts.tokens.length, counts.counts.length]).toEqual([1003, 1003]);
  expect([...counts.tokens.slice(0, 4)]).toEqual([7, 3, 5, 100]);
  expect([...counts.counts.slice(0, 5)]).toEqual([3, 1, 1, 2, 1]);
});
