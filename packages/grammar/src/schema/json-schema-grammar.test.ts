import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { diceOf, randomSchema } from "../testing/random-schema.js";
import { randomText } from "../testing/random-text.js";
import type { JsonSchema } from "./json-schema.js";
import { jsonSchemaGrammar } from "./json-schema-grammar.js";

const ajv = new Ajv2020({ strict: false, validateFormats: true });
// The package is CommonJS whose default is the function.
(addFormats as unknown as (target: Ajv2020) => void)(ajv);

test("what is written under 200 random schemas satisfies them", { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const dice = diceOf(seed);
    const schema = randomSchema(dice);
    const validate = ajv.compile(schema);
    const grammar = attempt(() => jsonSchemaGrammar(schema));
    if (grammar === undefined) continue;
    for (let text = 0; text < 5; text++) {
      const written = await randomText(grammar, dice);
      const valid = validate(JSON.parse(written));
      expect(valid, JSON.stringify({ seed, written, schema, errors: validate.errors })).toBe(true);
    }
  }
});

/** A random number range may hold no number at all. */
function attempt(make: () => string): string | undefined {
  try {
    return make();
  } catch (error) {
    expect(error).toMatchObject({ message: expect.stringContaining("cannot be satisfied") });
    return undefined;
  }
}

describe("a schema", () => {
  test.each<[string, JsonSchema]>([
    [
      "that is open",
      {
        type: "object",
        properties: { a: { type: "integer" } },
        additionalProperties: { type: "string", maxLength: 3 },
      },
    ],
    [
      "of keys that begin alike",
      { properties: { a: { const: 1 }, ab: { const: 2 }, abc: { const: 3 } }, additionalProperties: { type: "null" } },
    ],
    [
      "that contains itself",
      {
        $ref: "#/$defs/tree",
        $defs: {
          tree: {
            type: "object",
            properties: {
              v: { type: "integer", minimum: 0, maximum: 9 },
              next: { anyOf: [{ type: "null" }, { $ref: "#/$defs/tree" }] },
            },
            required: ["v", "next"],
          },
        },
      },
    ],
    ["of several types", { type: ["string", "null", "integer"], maxLength: 3, minimum: 5 }],
    [
      "with oneOf by constants",
      {
        oneOf: [
          { type: "object", properties: { t: { const: "a" } }, required: ["t"] },
          { type: "object", properties: { t: { const: "b" }, n: { type: "integer" } }, required: ["t", "n"] },
        ],
      },
    ],
    ["with allOf of one", { allOf: [{ type: "boolean" }] }],
    [
      "with allOf of several",
      {
        $defs: { base: { type: "object", properties: { a: { type: "boolean" } }, required: ["a"] } },
        allOf: [{ $ref: "#/$defs/base" }, { properties: { a: { const: true }, b: { type: "null" } }, required: ["b"] }],
      },
    ],
    [
      "with keywords beside anyOf",
      {
        type: "object",
        properties: { a: { type: "boolean" }, b: { type: "null" } },
        additionalProperties: false,
        anyOf: [{ required: ["a"] }, { required: ["b"] }],
      },
    ],
    [
      "with a type beside oneOf",
      {
        type: ["integer", "string"],
        oneOf: [
          { maximum: 3, type: "integer" },
          { type: "string", const: "a" },
        ],
      },
    ],
    [
      "with the same type beside a reference to itself",
      {
        $defs: { tree: { type: "array", items: { $ref: "#/$defs/tree", type: "array" }, maxItems: 2 } },
        $ref: "#/$defs/tree",
      },
    ],
    [
      "with more beside a reference",
      { $defs: { a: { type: "object", properties: { x: { type: "null" } } } }, $ref: "#/$defs/a", required: ["x"] },
    ],
    [
      "with oneOf of closed objects, one of which requires what the other lacks",
      {
        oneOf: [
          { type: "object", properties: { a: { type: "null" } }, required: ["a"], additionalProperties: false },
          { type: "object", properties: { b: { type: "null" } }, additionalProperties: false },
        ],
      },
    ],
    ["with keywords that no JSON Schema has", { type: "boolean", markdownDescription: "m", fileMatch: ["*.json"] }],
    [
      "with keys of which propertyNames says nothing",
      { type: "object", propertyNames: { type: "string" }, additionalProperties: { type: "boolean" } },
    ],
    ["with an impossible way out", { anyOf: [{ type: "integer", minimum: 3, maximum: 2 }, { const: "ok" }] }],
    [
      "with a required property that it does not describe",
      { type: "object", properties: {}, required: ["z"], additionalProperties: { type: "boolean" } },
    ],
    [
      "with annotations",
      { title: "T", description: "d", type: "boolean", default: true, examples: [true], $comment: "c", "x-order": 1 },
    ],
  ])("%s is kept to", async (_, schema) => {
    const validate = ajv.compile(schema);
    const dice = diceOf(7);
    for (let text = 0; text < 30; text++) {
      const written = await randomText(jsonSchemaGrammar(schema), dice);
      expect({ written, valid: validate(JSON.parse(written)) }).toMatchObject({ valid: true });
    }
  });

  test.each<[JsonSchema, RegExp]>([
    [false, /cannot be satisfied: # allows nothing/],
    [{ enum: [] }, /no constant/],
    [{ type: "integer", minimum: 5, maximum: 1 }, /range that contains no number/],
    [{ type: "string", minLength: 5, maxLength: 2 }, /minLength 5 above maxLength 2/],
    [{ type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, /contains itself without end/],
    [{ $ref: "#" }, /contains itself without end/],
    [{ type: "foo" }, /type foo/],
    [{ $ref: "#/definitions/x" }, /does not exist/],
    [{ $ref: "#/%zz" }, /does not exist/],
    [{ $ref: "http://example.com/s" }, /outside the schema/],
    [{ type: "array", uniqueItems: true }, /uniqueItems/],
    [{ type: "integer", multipleOf: 3 }, /multipleOf/],
    [{ not: { type: "integer" } }, /not without a type/],
    [{ type: "string", pattern: "a", maxLength: 3 }, /maxLength/],
    [{ type: "string", pattern: "(?=a)b" }, /\(\?=a\)/],
    [{ type: "string", pattern: "(" }, /malformed/],
    [{ type: "string", pattern: "a^b" }, /\^ in a regular expression/],
    [{ type: "string", format: "regex" }, /format regex/],
    [{ type: "string", maxLength: 100_000 }, /more than 512 times/],
    [
      { type: "object", additionalProperties: false, anyOf: [{ properties: { a: {} } }] },
      /additionalProperties beside others/,
    ],
    [{ allOf: [{ type: "array", prefixItems: [{}] }, { items: false }] }, /items beside others/],
    [{ allOf: [{ minimum: 1, type: "integer" }, { minimum: 3 }] }, /minimum beside others/],
    [{ allOf: [{ type: "integer" }, { type: "string" }] }, /type beside others/],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, /oneOf whose branches may overlap/],
    [{ type: "object", patternProperties: { a: {} } }, /patternProperties/],
    [{ type: "object", properties: { a: {} }, minProperties: 1 }, /minProperties/],
    [{ type: "object", if: {} }, /keyword if/],
    [JSON.parse(`${'{"type":"array","items":'.repeat(100)}true${"}".repeat(100)}`), /nested more than 64/],
  ])("%j is refused", (schema, reason) => {
    expect(() => jsonSchemaGrammar(schema)).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringMatching(reason) }),
    );
  });
});
