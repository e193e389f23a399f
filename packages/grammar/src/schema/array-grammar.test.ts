import { describe, expect, it } from "vitest";
import { judgeOf } from "../testing/judge.js";
import { allowedOf, randomTexts } from "../testing/random-text.js";
import { jsonSchemaGrammar } from "./json-schema-grammar.js";

const DIGIT = { type: "integer", minimum: 0, maximum: 9 };
const LISTS = [
  "[]",
  "[1]",
  "[1,2]",
  "[1, 2]",
  "[1,2,3]",
  "[1,2,3,4]",
  "[true]",
  "[true,2]",
  "[true,2,3]",
  "[1,true]",
  "[,]",
  "[1,]",
];

describe("arrays", () => {
  it.each([
    {
      name: "of any length",
      schema: { items: DIGIT },
      allowed: ["[]", "[1]", "[1,2]", "[1, 2]", "[1,2,3]", "[1,2,3,4]"],
    },
    {
      name: "of a least length",
      schema: { items: DIGIT, minItems: 2 },
      allowed: ["[1,2]", "[1, 2]", "[1,2,3]", "[1,2,3,4]"],
    },
    { name: "of a greatest length", schema: { items: DIGIT, maxItems: 2 }, allowed: ["[]", "[1]", "[1,2]", "[1, 2]"] },
    { name: "of one length", schema: { items: DIGIT, minItems: 3, maxItems: 3 }, allowed: ["[1,2,3]"] },
    { name: "of none", schema: { maxItems: 0 }, allowed: ["[]"] },
    {
      name: "of at most one, which is unique",
      schema: { items: DIGIT, maxItems: 1, uniqueItems: true },
      allowed: ["[]", "[1]"],
    },
    {
      name: "that begin with a prefix",
      schema: { prefixItems: [{ type: "boolean" }, DIGIT], items: false },
      allowed: ["[]", "[true]", "[true,2]"],
    },
    {
      name: "with a whole prefix",
      schema: { prefixItems: [{ type: "boolean" }, DIGIT], items: false, minItems: 2 },
      allowed: ["[true,2]"],
    },
    {
      name: "with a prefix and others behind it",
      schema: { prefixItems: [{ type: "boolean" }], items: DIGIT, minItems: 1 },
      allowed: ["[true]", "[true,2]", "[true,2,3]"],
    },
    {
      name: "that end where the prefix allows nothing",
      schema: { prefixItems: [DIGIT, false, DIGIT] },
      allowed: ["[]", "[1]"],
    },
    { name: "of no items at all", schema: { items: false }, allowed: ["[]"] },
  ])("$name", async ({ schema, allowed }) => {
    const whole = { type: "array", ...schema };
    const grammar = jsonSchemaGrammar(whole);
    expect(await allowedOf(grammar, LISTS)).toEqual(allowed);
    const judge = judgeOf(whole);
    for (const text of [...allowed, ...(await randomTexts(grammar, 10))]) expect(judge(text)).toBeNull();
  });

  it("nest, each with its own bounds", async () => {
    const schema = { type: "array", maxItems: 2, items: { type: "array", minItems: 1, items: DIGIT } };
    const texts = ["[]", "[[1]]", "[[1,2],[3]]", "[[]]", "[1]", "[[1],[2],[3]]"];
    expect(await allowedOf(jsonSchemaGrammar(schema), texts)).toEqual(["[]", "[[1]]", "[[1,2],[3]]"]);
  });
});

it("items as a list are a prefix, as they were until 2019", () => {
  const older = { type: "array", items: [{ type: "boolean" }, DIGIT], additionalItems: false };
  const newer = { type: "array", prefixItems: older.items, items: false };
  expect(jsonSchemaGrammar(older)).toBe(jsonSchemaGrammar(newer));
});

it("counts items beyond a prefix in blocks", async () => {
  const schema = { type: "array", prefixItems: [{ type: "boolean" }], items: DIGIT, minItems: 3, maxItems: 60 };
  const texts = [2, 3, 33, 60, 61].map((count) =>
    JSON.stringify([true, ...Array.from({ length: count - 1 }, () => 1)]),
  );
  expect(await allowedOf(jsonSchemaGrammar(schema), texts)).toEqual(texts.slice(1, 4));
});

describe("array schemas that are refused", () => {
  it.each([
    { schema: { minItems: 3, maxItems: 2 }, message: "cannot be satisfied: # has minItems 3 but can hold at most 2" },
    { schema: { prefixItems: [{}], items: false, minItems: 2 }, message: "# has minItems 2 but can hold at most 1" },
    { schema: { prefixItems: [{}, false], minItems: 2 }, message: "# has minItems 2 but can hold at most 1" },
    { schema: { items: false, minItems: 1 }, message: "# has minItems 1 but can hold at most 0" },
    { schema: { maxItems: 513 }, message: "# has maxItems 513; at most 512 items can be counted" },
    { schema: { minItems: 513 }, message: "# has minItems 513; at most 512 items can be counted" },
    { schema: { minItems: 0.5 }, message: "# has a minItems that is not a whole number" },
    { schema: { prefixItems: {} }, message: "# has prefixItems that are not a list" },
    { schema: { uniqueItems: true }, message: "# has the keyword uniqueItems, which cannot be enforced here" },
    { schema: { contains: DIGIT }, message: "# has the keyword contains, which cannot be enforced here" },
    { schema: { items: "x" }, message: "#/items is not a schema" },
  ])("$schema", ({ schema, message }) => {
    expect(() => jsonSchemaGrammar({ type: "array", ...schema })).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringContaining(message) }),
    );
  });
});
