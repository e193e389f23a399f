import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeCheckpoint } from "../testing/checkpoint.js";
import { isJsonObject, JsonNumbers, readJsonFile } from "./json-file.js";

describe("readJsonFile", () => {
  test("gives the object, or nothing where there is no file", async () => {
    const dir = await writeCheckpoint({ "a.json": { x: [1] } });
    expect(await readJsonFile(join(dir, "a.json"))).toEqual({ x: [1] });
    expect(await readJsonFile(join(dir, "b.json"))).toBeUndefined();
  });

  test.each([
    ["a list", "[1]", /does not hold a JSON object/],
    ["null", "null", /does not hold a JSON object/],
    ["half a file", '{"x": ', /is not JSON/],
  ])("refuses %s by name", async (_, content, message) => {
    const dir = await writeCheckpoint({ "a.json": content });
    await expect(readJsonFile(join(dir, "a.json"))).rejects.toMatchObject({
      code: "CHECKPOINT_MALFORMED",
      message: expect.stringMatching(message),
    });
  });

  test("refuses what is there and cannot be read", async () => {
    const dir = await writeCheckpoint({});
    await mkdir(join(dir, "a.json"));
    await expect(readJsonFile(join(dir, "a.json"))).rejects.toThrow(/a\.json cannot be read: EISDIR/);
  });
});

describe("JsonNumbers", () => {
  const numbers = new JsonNumbers("config.json", { dim: 8, eps: 1e-5, text: "8", none: null, zero: 0, half: 0.5 });

  test("reads numbers, and what stands in for absent ones", () => {
    expect([numbers.count("dim"), numbers.positive("eps")]).toEqual([8, 1e-5]);
    expect([numbers.count("missing", 4), numbers.positive("none", 0.25)]).toEqual([4, 0.25]);
  });

  test.each([
    ["count", "half", "config.json: half is 0.5, not a whole number."],
    ["count", "zero", "config.json: zero is 0, not a number above 0."],
    ["positive", "text", 'config.json: text is "8", not a number above 0.'],
    ["positive", "missing", "config.json: missing is missing."],
  ] as const)("refuses %s of %s", (read, key, message) => {
    expect(() => numbers[read](key)).toThrow(expect.objectContaining({ code: "CHECKPOINT_MALFORMED", message }));
  });
});

test.each([
  [{}, true],
  [[], false],
  [null, false],
  ["{}", false],
])("%o is an object: %s", (value, expected) => {
  expect(isJsonObject(value)).toBe(expected);
});
