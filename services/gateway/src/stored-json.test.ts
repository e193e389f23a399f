import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readStored } from "./stored-json.js";

const schema = z.object({ version: z.literal(2).default(2), name: z.string() });
const read = (text: string) => readStored(schema, text, "The record a");

describe("a stored record", () => {
  it.each(['{"version": 2, "name": "x"}', '{"name": "x"}', '{"name": "x", "later": 1}'])("%s is read", (text) => {
    expect(read(text)).toEqual({ version: 2, name: "x" });
  });

  it.each<[string, RegExp]>([
    ['{"version": 1, "name": "x"}', /version: .*expected 2/],
    ['{"version": 3, "name": "x"}', /version: .*expected 2/],
    ['{"version": 2}', /name: /],
    ['{"version": 2, "name": 5}', /name: /],
    ["[]", /record: /],
    ["{", /record: /],
    ["", /record: /],
  ])("%s is refused, and the message says why", (text, problem) => {
    const refusal = { code: "RECORD_UNREADABLE", message: expect.stringMatching(problem) };
    expect(() => read(text)).toThrow(expect.objectContaining(refusal));
    expect(() => read(text)).toThrow(/^The record a was written by another version of the gateway/);
  });
});
