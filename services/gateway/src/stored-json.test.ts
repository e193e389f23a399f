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
    ['{"version": 1, "name": "x"}', /\(version is 1; it must be 2\)/],
    ['{"version": 3, "name": "x"}', /\(version is 3; it must be 2\)/],
    ['{"version": 2}', /\(name is missing\)/],
    ['{"version": 2, "name": 5}', /\(name is 5; it must be a text\)/],
    ["[]", /\(the record is a list; it must be an object\)/],
    ["{", /\(it is not JSON\)/],
    ["", /\(it is not JSON\)/],
  ])("%s is refused, and the message says why", (text, problem) => {
    const refusal = { code: "RECORD_UNREADABLE", message: expect.stringMatching(problem) };
    expect(() => read(text)).toThrow(expect.objectContaining(refusal));
    expect(() => read(text)).toThrow(/^The record a was written by another version of the gateway/);
  });
});
