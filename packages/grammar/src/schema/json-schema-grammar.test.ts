import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { diceOf, randomSchema } from "../testing/random-schema.js";
import { allowedOf, allows, randomText, randomTexts } from "../testing/random-text.js";
import type { JsonSchema } from "./json-schema.js";
import { jsonSchemaGrammar, schemaGrammar } from "./json-schema-grammar.js";

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
    [{ enum: [1, { a: [2 ** 53] }] }, /# has a constant beyond 2\^53/],
    [JSON.parse('{"const":1e400}'), /# has a constant beyond 2\^53/],
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
    [{ allOf: [{ type: "integer" }, { type: "string" }] }, /cannot be satisfied/],
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

const nested = (depth: number): string =>
  depth === 0 ? '{"type":"null"}' : `{"type":"array","items":${nested(depth - 1)}}`;
const CANNOT = "which cannot be enforced";

describe("a schema that is not strict", () => {
  test.each<{ name: string; schema: JsonSchema; allowed: unknown[]; refused: unknown[]; waivers: [string, RegExp][] }>([
    {
      name: "keeps the properties beside a keyword that no grammar has",
      schema: { type: "object", properties: { a: { type: "integer" } }, required: ["a"], minProperties: 2, if: {} },
      allowed: [{ a: 1 }],
      refused: [{}, { a: "x" }, 1],
      waivers: [
        ["#", /keyword if/],
        ["#", /minProperties 2/],
      ],
    },
    {
      name: "keeps the other properties",
      schema: {
        type: "object",
        properties: { a: { type: "integer", multipleOf: 3 }, b: { enum: ["x"] }, c: { not: { type: "null" } } },
        required: ["a", "b", "c"],
      },
      allowed: [{ a: 4, b: "x", c: [1] }],
      refused: [
        { a: "4", b: "x", c: 1 },
        { a: 4, b: "y", c: 1 },
      ],
      waivers: [
        ["#/properties/a", /multipleOf/],
        ["#/properties/c", /not without a type/],
      ],
    },
    {
      name: "lets other dialects' patterns, and lengths beyond the limit, through",
      schema: {
        type: "array",
        prefixItems: [
          { type: "string", pattern: "(?i)abc" },
          { type: "string", pattern: "\\A\\d+\\Z", maxLength: 2 },
          { type: "string", maxLength: 5000 },
        ],
        items: false,
        minItems: 3,
      },
      allowed: [["ABC", "zz", "q"]],
      refused: [
        ["ABC", "zzz", "q"],
        [1, "zz", "q"],
      ],
      waivers: [
        ["#/prefixItems/0", /malformed regular expression/],
        ["#/prefixItems/1", /\\Z in a regular expression/],
        ["#/prefixItems/2", /maxLength 5000/],
      ],
    },
    {
      name: "lets references that lead nowhere through",
      schema: {
        type: "object",
        properties: { a: { $ref: "https://example.com/a.json" }, b: { $ref: "#/$defs/gone" }, c: { type: "null" } },
        required: ["a", "b", "c"],
      },
      allowed: [{ a: 1, b: [], c: null }],
      refused: [{ a: 1, b: 2, c: 3 }],
      waivers: [
        ["#/properties/a", /outside the schema/],
        ["#/properties/b", /does not exist/],
      ],
    },
    {
      name: "keeps other drafts' tuples, bounds and required properties",
      schema: {
        type: "object",
        properties: {
          t: { type: "array", items: [{ type: "integer" }], additionalItems: false, minItems: 1, required: true },
          n: { type: "number", maximum: 3, exclusiveMaximum: true, divisibleBy: 2 },
        },
      },
      allowed: [{ t: [1] }, { t: [1], n: 2 }],
      refused: [{}, { t: ["a"] }, { t: [1, 2] }, { t: [1], n: 3 }],
      waivers: [["#/properties/n", /divisibleBy/]],
    },
    {
      name: "lets keys of patterns through beside additionalProperties: false",
      schema: { type: "object", properties: { a: {} }, patternProperties: { "^x": {} }, additionalProperties: false },
      allowed: [{ a: 1 }, { xy: 1 }, {}],
      refused: [1],
      waivers: [["#", /patternProperties/]],
    },
    {
      name: "takes branches of oneOf that may overlap as anyOf",
      schema: { oneOf: [{ type: "integer" }, { type: "number" }, { type: "null" }] },
      allowed: [1, 1.5, null],
      refused: ["a"],
      waivers: [["#", /oneOf whose branches may overlap/]],
    },
    {
      name: "keeps what can be joined of allOf",
      schema: {
        allOf: [
          { type: "object", properties: { a: { type: "null" } }, required: ["a"], additionalProperties: false },
          { properties: { b: { type: "boolean" } }, required: ["b"], minProperties: 1 },
        ],
      },
      allowed: [{ a: null, b: true }],
      refused: [{ a: null }, { a: 1, b: true }],
      waivers: [["#", /additionalProperties beside others/]],
    },
    {
      name: "lets what is nested too deep through",
      schema: JSON.parse(nested(70)),
      allowed: [[], [[[[]]]], JSON.parse(`${"[".repeat(70)}1${"]".repeat(70)}`)],
      refused: [1, [1], [[["a"]]]],
      waivers: [[`${`#${"/items".repeat(64)}`.slice(0, 255)}…`, /nested more than 64 deep/]],
    },
    {
      name: "lets a type that no JSON Schema has through",
      schema: { type: "object", properties: { a: { type: "dict" }, b: { type: "null" } }, required: ["a", "b"] },
      allowed: [
        { a: {}, b: null },
        { a: 1, b: null },
      ],
      refused: [{ a: {}, b: 1 }],
      waivers: [["#/properties/a", /type dict/]],
    },
    {
      name: "lets everything through whose root is elsewhere",
      schema: { $ref: "other.json" },
      allowed: [{}, [], 1],
      refused: [],
      waivers: [["#", /outside the schema/]],
    },
  ])("$name", async ({ schema, allowed, refused, waivers }) => {
    const { text, waivers: told } = schemaGrammar(schema, { strict: false });
    const texts = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value));
    expect(await allowedOf(text, texts([...allowed, ...refused]))).toEqual(texts(allowed));
    expect(told).toEqual(waivers.map(([path, reason]) => ({ path, reason: expect.stringMatching(reason) })));
    const [first] = waivers;
    const message = expect.stringContaining((first?.[0] ?? "").replace("…", ""));
    expect(() => jsonSchemaGrammar(schema)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST", message }));
  });

  test.each<[JsonSchema, RegExp]>([
    [false, /allows nothing/],
    [
      { type: "object", properties: { a: { enum: [] } }, required: ["a"], not: {} },
      /is required but no value satisfies it/,
    ],
    [{ type: "object", properties: [] }, /properties that are not an object/],
    [{ type: "string", pattern: 3 }, /pattern that is not a string/],
    [{ type: "object", properties: { a: { $ref: "#" } }, required: ["a"], not: {} }, /contains itself without end/],
  ])("that nothing satisfies, or that is none, is refused: %j", (schema, reason) => {
    expect(() => schemaGrammar(schema, { strict: false })).toThrow(reason);
  });

  test("tells at most 20 places, and counts the others", () => {
    const properties = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`p${i}`, { not: {} }]));
    const { waivers } = schemaGrammar({ type: "object", properties }, { strict: false });
    expect(waivers).toHaveLength(21);
    expect(waivers.at(-1)).toEqual({ path: "#", reason: "has 30 more such places" });
  });

  test("that contains itself beside keywords is written in a moment", async () => {
    const child = { $ref: "#", required: ["v"] };
    const schema = { type: "object", properties: { v: { type: "null" }, a: child, b: child, c: child } };
    const grammar = jsonSchemaGrammar(schema);
    expect(await allows(grammar, '{"v":null,"a":{"v":null,"c":{"v":null}}}')).toBe(true);
    expect(await allows(grammar, '{"a":{}}')).toBe(false);
  });

  test("holds what is left of 100 random schemas with keywords that no grammar has", { timeout: 60_000 }, async () => {
    for (let seed = 300; seed < 400; seed++) {
      const schema = randomSchema(diceOf(seed));
      const grammar = attempt(() => jsonSchemaGrammar(schema));
      if (grammar === undefined) continue;
      const spoiled = spoil(schema);
      const lenient = schemaGrammar(spoiled, { strict: false });
      expect(lenient.waivers).not.toEqual([]);
      expect(lenient.waivers.every(({ reason }) => reason.includes(CANNOT))).toBe(true);
      for (const text of await randomTexts(grammar, 3, seed)) expect(await allows(lenient.text, text)).toBe(true);
    }
  });
});

/** The same schema with a keyword that no grammar has. */
const spoil = (schema: JsonSchema): JsonSchema =>
  typeof schema === "boolean" ? schema : { ...schema, not: { const: "\u0000" } };
