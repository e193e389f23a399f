import { expect, it } from "vitest";
import { lastDrawn } from "./drawn-token.js";

it.each([
  { count: 3, drafts: 0, tokens: [70], last: { token: 70, position: 7 }, why: "for the row behind 4 to 6" },
  { count: 3, drafts: 2, tokens: [70, 71], last: { token: 71, position: 6 }, why: "the second draft was wrong" },
  { count: 3, drafts: 2, tokens: [70, 71, 72], last: { token: 72, position: 7 }, why: "both were right" },
  { count: 3, drafts: 0, tokens: [], last: null, why: "it drew none" },
])("the last of $tokens that $count rows from 4 with $drafts drafts draw is $last: $why", (example) => {
  const { count, drafts, tokens, last } = example;
  expect(lastDrawn({ position: 4, count, drafts }, tokens)).toEqual(last);
});
