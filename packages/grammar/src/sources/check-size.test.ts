import { expect, it } from "vitest";
import { checkSize } from "./check-size.js";

const limits = { characters: 20, values: 10 };
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

it.each<[string, unknown]>([
  ["text", "x".repeat(20)],
  ["an object", { abcdefgh: "abcdefg", x: null }],
  ["a list", [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ["nesting", nested(9)],
])("takes %s within the limits", (_, data) => expect(() => checkSize(data, limits)).not.toThrow());

it.each<[string, unknown, string]>([
  ["text", "x".repeat(21), "20 characters"],
  ["keys", { abcdefghijklmnopqrstu: 1 }, "20 characters"],
  ["a number", { abcdefghijklmnop: 1.2345 }, "20 characters"],
  ["a list", Array.from({ length: 10 }, () => 1), "10 values"],
  ["nesting", nested(10), "10 values"],
])("refuses %s beyond them, with the limit", (_, data, limit) => {
  const refusal = { code: "INVALID_REQUEST", message: `is too large: it has more than ${limit}` };
  expect(() => checkSize(data, limits)).toThrow(expect.objectContaining(refusal));
});
