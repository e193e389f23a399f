import { expect, test } from "vitest";
import { clipped } from "./clipped.js";

test.each([
  ["a short text, as it is", "abc", 3, "abc"],
  ["a long one's beginning", "abcd", 3, "abc…"],
  ["no half of a character", "ab🦆", 3, "ab\ufffd…"],
  ["no half that came as one", "a\ud800", 3, "a\ufffd"],
  ["nothing for nothing", null, 3, ""],
])("it gives %s", (_, text, most, expected) => {
  expect(clipped(text, most)).toBe(expected);
});
