import { describe, expect, it } from "vitest";
import { allowedOf } from "../testing/random-text.js";
import { assertions, checkKeywords, countOf, type Keywords } from "./json-schema.js";
import { jsonSchemaGrammar } from "./json-schema-grammar.js";
import { Waivers } from "./waivers.js";

describe("assertions", () => {
  it.each([
    {
      name: "leaves out annotations",
      schema: { title: "T", description: "d", $defs: {}, type: "null" },
      left: ["type"],
    },
    { name: "leaves out x- extensions", schema: { "x-order": 1, minimum: 2 }, left: ["minimum"] },
    { name: "leaves out keywords set to undefined", schema: { minimum: undefined, maximum: 2 }, left: ["maximum"] },
    {
      name: "leaves out uniqueItems and nullable set to false",
      schema: { uniqueItems: false, nullable: false },
      left: [],
    },
    {
      name: "keeps them set to true",
      schema: { uniqueItems: true, nullable: true },
      left: ["uniqueItems", "nullable"],
    },
  ])("$name", ({ schema, left }) => {
    expect(Object.keys(assertions(schema))).toEqual(left);
  });
});

describe("checkKeywords", () => {
  const check = (schema: Keywords, known: readonly string[], strict: boolean) => {
    const waivers = new Waivers({ strict });
    checkKeywords(schema, known, { where: "#/a", waive: waivers.waive });
    return waivers.list;
  };

  it("names the first keyword it does not know", () => {
    expect(check({ type: "null", title: "T" }, ["type"], true)).toEqual([]);
    expect(() => check({ type: "null", if: {}, else: {} }, ["type"], true)).toThrow(
      "#/a has the keyword if, which cannot be enforced here",
    );
  });

  it("lets each of them through where that is allowed, and says so", () => {
    expect(check({ type: "null", if: {}, not: {} }, ["type"], false)).toEqual([
      { path: "#/a", reason: "has the keyword if, which cannot be enforced here" },
      { path: "#/a", reason: "has the keyword not, which cannot be enforced here" },
    ]);
  });
});

describe("countOf", () => {
  const count = (value: unknown) => countOf({ maxItems: value }, { key: "maxItems", where: "#", fallback: 7 });

  it.each([
    { value: 0, expected: 0 },
    { value: 12, expected: 12 },
    { value: undefined, expected: 7 },
  ])("reads $value as $expected", ({ value, expected }) => {
    expect(count(value)).toBe(expected);
  });

  it.each([-1, 1.5, "3", null, Number.NaN, []])("refuses %j", (value) => {
    expect(() => count(value)).toThrow("# has a maxItems that is not a whole number");
  });
});

describe("constants and types", () => {
  const VALUES = ["null", "true", "false", "0", "1", "-1.5", '"a"', '"b"', "[]", "[1]", "{}", '{"k":1}'];

  it.each([
    { schema: { const: "a" }, allowed: ['"a"'] },
    { schema: { const: null }, allowed: ["null"] },
    { schema: { enum: ["a", 1, null, [1], { k: 1 }] }, allowed: ["null", "1", '"a"', "[1]", '{"k":1}'] },
    { schema: { enum: ["a", 1, -1.5, null], type: "number" }, allowed: ["1", "-1.5"] },
    { schema: { enum: ["a", 1, -1.5], type: "integer" }, allowed: ["1"] },
    { schema: { enum: ["a", [], {}, true], type: ["array", "object"] }, allowed: ["[]", "{}"] },
    { schema: { enum: ["a", "b"], const: "b" }, allowed: ['"b"'] },
    { schema: { type: "boolean" }, allowed: ["true", "false"] },
    { schema: { type: ["null", "boolean"] }, allowed: ["null", "true", "false"] },
    { schema: { type: ["string", "integer"], minimum: 1, maxLength: 0 }, allowed: ["1"] },
    { schema: { minimum: 1 }, allowed: ["1"] },
    { schema: { maxLength: 0, minItems: 1 }, allowed: ["[1]"] },
    { schema: { type: "any" }, allowed: VALUES },
    { schema: { type: "string", nullable: true, maxLength: 0 }, allowed: ["null"] },
    { schema: { type: "integer", minimum: 0, exclusiveMinimum: true }, allowed: ["1"] },
    { schema: { type: "integer", minimum: 0, exclusiveMinimum: false, maximum: 0 }, allowed: ["0"] },
    { schema: { allOf: [{ type: "number" }, { type: "integer" }] }, allowed: ["0", "1"] },
    { schema: true, allowed: VALUES },
    { schema: { title: "anything" }, allowed: VALUES },
  ])("$schema allows $allowed", async ({ schema, allowed }) => {
    expect(await allowedOf(jsonSchemaGrammar(schema), VALUES)).toEqual(allowed);
  });

  it.each([
    { schema: { type: "str" }, message: "# has the type str; types are object, array, string, number" },
    { schema: { type: [] }, message: "# has the type undefined" },
    { schema: { type: ["null", 3] }, message: "# has the type 3" },
    { schema: { enum: "a" }, message: "# has an enum that is not a list" },
    { schema: { enum: ["a"], const: "b" }, message: "cannot be satisfied: # has no constant of its type" },
    { schema: { enum: ["a"], minLength: 1 }, message: "# has the keyword minLength, which cannot be enforced here" },
    { schema: { enum: Array.from({ length: 4097 }, (_, i) => i) }, message: "# has 4097 constants; the limit is 4096" },
    { schema: { not: {} }, message: "# has not without a type" },
    { schema: { allOf: [{ type: "null" }, { type: "string" }] }, message: "cannot be satisfied: # allows nothing" },
    { schema: { anyOf: [] }, message: "#/anyOf is not a list of schemas" },
    {
      schema: { anyOf: [false, { enum: [] }] },
      message: "cannot be satisfied: #/anyOf has no branch that can be satisfied",
    },
    { schema: { $ref: "#/$defs/a", not: {}, $defs: { a: {} } }, message: "# has not without a type" },
    { schema: { $ref: "other.json" }, message: "# refers to other.json, which is outside the schema" },
    { schema: { $ref: "#/$defs/a" }, message: "# refers to #/$defs/a, which does not exist" },
  ])("$schema is refused", ({ schema, message }) => {
    expect(() => jsonSchemaGrammar(schema)).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringContaining(message) }),
    );
  });

  it.each(["#/$defs/a~1b", "#/$defs/a%2Fb", "#/$defs/t~0", "#/anyOf/1", "#/$defs/100%"])("finds %s", async ($ref) => {
    const schema = {
      anyOf: [{ $ref }, { const: 1 }],
      $defs: { "a/b": { const: 1 }, "t~": { const: 1 }, "100%": { const: 1 } },
    };
    expect(await allowedOf(jsonSchemaGrammar(schema), ["1", "2"])).toEqual(["1"]);
  });
});
