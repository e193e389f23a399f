import { expect, it } from "vitest";
import { byteCount } from "./option-parsers.js";

it.each([
  ["1000", 1000],
  ["700M", 7e8],
  ["1.5GB", 15e8],
  ["64k", 64_000],
])("reads %s as bytes", (text, bytes) => expect(byteCount(text)).toBe(bytes));

it.each(["", "0", "-1", "6T", "G", "1e9"])('refuses "%s" as bytes', (text) => {
  expect(() => byteCount(text)).toThrow(/number of bytes/);
});
