import { describe, expect, it } from "vitest";
import { judgeOf } from "../testing/judge.js";
import { allowedOf, randomTexts } from "../testing/random-text.js";
import type { JsonSchema } from "./json-schema.js";
import { jsonSchemaGrammar } from "./json-schema-grammar.js";

const INTEGER = { type: "integer" };

interface Case {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly allowed: readonly string[];
  readonly refused: readonly string[];
}

describe("objects", () => {
  it.each<Case>([
    {
      name: "have their properties in order, optional ones or not",
      schema: { properties: { a: INTEGER, b: INTEGER, c: INTEGER }, required: ["b"] },
      allowed: ['{"b":1}', '{"a":1,"b":2}', '{"b":1,"c":2}', '{"a":1,"b":2,"c":3}'],
      refused: ["{}", '{"a":1}', '{"b":1,"a":2}', '{"b":1,"b":2}', '{"b":1,"d":2}', '{"b":1,}'],
    },
    {
      name: "may be empty without required properties",
      schema: { properties: { a: INTEGER } },
      allowed: ["{}", '{"a":1}', '{"a": 1}'],
      refused: ['{"a":  1}', '{ "a":1}', '{"a" :1}', "{ }"],
    },
    {
      name: "of any kind, without properties",
      schema: { type: "object" },
      allowed: ["{}", '{"x":{"y":[1,null]}}', '{"日": true, "b": 2}'],
      refused: ["[]", '{"x"}', "null"],
    },
    {
      name: "of nothing, when no others are allowed",
      schema: { type: "object", additionalProperties: false },
      allowed: ["{}"],
      refused: ['{"a":1}'],
    },
    {
      name: "with others of one schema",
      schema: { type: "object", additionalProperties: { type: "boolean" } },
      allowed: ["{}", '{"a":true}', '{"a":true,"b":false}'],
      refused: ['{"a":1}'],
    },
    {
      name: "with others behind their properties, but never a property's name again",
      schema: { properties: { ab: INTEGER }, additionalProperties: { type: "null" } },
      allowed: ['{"ab":1}', '{"ab":1,"a":null}', '{"abc":null,"x":null}', '{"":null}', '{"b":null}'],
      refused: ['{"ab":null}', '{"ab":1,"ab":null}', '{"x":1}', '{"\\u0061b":null}', '{"x":null,"ab":1}'],
    },
    {
      name: "with a required property that only additionalProperties describes",
      schema: { type: "object", required: ["z"], additionalProperties: INTEGER },
      allowed: ['{"z":1}', '{"z":1,"y":2}'],
      refused: ["{}", '{"y":1}', '{"z":true}'],
    },
    {
      name: "without an optional property that nothing satisfies",
      schema: { properties: { a: false, b: INTEGER } },
      allowed: ["{}", '{"b":1}'],
      refused: ['{"a":1}'],
    },
    {
      name: "with names that need escapes",
      schema: { properties: { 'say "x"': INTEGER, "a\\b": INTEGER, "日\n": INTEGER }, required: ['say "x"'] },
      allowed: ['{"say \\"x\\"":1}', '{"say \\"x\\"":1,"a\\\\b":2,"日\\n":3}'],
      refused: ['{"a\\\\b":2}'],
    },
    {
      name: "by unevaluatedProperties, which says the same here",
      schema: { properties: { a: INTEGER }, unevaluatedProperties: false },
      allowed: ["{}", '{"a":1}'],
      refused: ['{"b":1}'],
    },
    {
      name: "with counts that follow from the properties",
      schema: { properties: { a: INTEGER, b: INTEGER }, required: ["a"], minProperties: 1, maxProperties: 2 },
      allowed: ['{"a":1}', '{"a":1,"b":2}'],
      refused: ["{}", '{"b":1}'],
    },
  ])("$name", async ({ schema, allowed, refused }) => {
    const grammar = jsonSchemaGrammar(schema);
    expect(await allowedOf(grammar, [...allowed, ...refused])).toEqual(allowed);
    const judge = judgeOf(schema);
    for (const text of [...allowed, ...(await randomTexts(grammar, 10))]) expect(judge(text)).toBeNull();
  });
});

describe("object schemas that are refused", () => {
  it.each([
    { schema: { properties: [] }, message: "# has properties that are not an object" },
    { schema: { properties: {}, required: "a" }, message: "# has a required that is not a list" },
    { schema: { properties: { a: 3 } }, message: "#/properties/a is not a schema" },
    {
      schema: { properties: { a: false }, required: ["a"] },
      message: "#/properties/a is required but no value satisfies it",
    },
    {
      schema: { properties: { a: {} }, minProperties: 1 },
      message: "# has minProperties 1, which cannot be enforced beyond",
    },
    {
      schema: { properties: { a: {}, b: {} }, maxProperties: 1 },
      message: "# has maxProperties 1, which cannot be enforced",
    },
    { schema: { maxProperties: 3 }, message: "# has maxProperties 3, which cannot be enforced" },
    { schema: { minProperties: "1" }, message: "# has a minProperties that is not a whole number" },
    {
      schema: { patternProperties: { "^a": {} } },
      message: "# has the keyword patternProperties, which cannot be enforced here",
    },
    { schema: { propertyNames: { maxLength: 3 } }, message: "# has the keyword propertyNames" },
    { schema: { dependentRequired: { a: ["b"] } }, message: "# has the keyword dependentRequired" },
    {
      schema: { properties: { a: { type: "object", properties: { b: { uniqueItems: true } } } } },
      message: "#/properties/a/properties/b has the keyword uniqueItems",
    },
  ])("$schema", ({ schema, message }) => {
    expect(() => jsonSchemaGrammar({ type: "object", ...schema })).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringContaining(message) }),
    );
  });
});
