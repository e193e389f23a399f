import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { checkEbnf } from "../ebnf/check-ebnf.js";
import type { JsonSchema } from "../schema/json-schema.js";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { diceOf, randomSchema } from "../testing/random-schema.js";
import { allows, randomBytes, randomText, randomTexts } from "../testing/random-text.js";
import { anyOfGrammars, behindSpace, FREE_TEXT } from "../text-grammars.js";
import { CallGrammar, type CallsShape, MOST_CALLS } from "./call-grammar.js";

const ajv = new Ajv2020({ strict: false, validateFormats: false });
const PLACE: JsonSchema = {
  type: "object",
  properties: { place: { $ref: "#/$defs/place" }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["place"],
  $defs: { place: { enum: ["Paris", "Lyon"] } },
};
const weather = { name: "weather", parameters: PLACE, strict: false };
const now = { name: "now", parameters: undefined, strict: false };

function grammarOf(shape: CallsShape, functions = [weather, now]): string {
  const grammar = new CallGrammar();
  for (const one of functions) grammar.add(one);
  return grammar.text(shape);
}

const CALL =
  '(\\{"name": "now", "arguments": \\{\\}\\}|\\{"name": "weather", "arguments": \\{"place": "(Paris|Lyon)"(, "days": [1-9])?\\}\\})';

test.each<[CallsShape, RegExp]>([
  [{ parallel: false, listed: true }, new RegExp(`^\\[${CALL}\\]$`)],
  [{ parallel: true, listed: true }, new RegExp(`^\\[${CALL}(, ${CALL})*\\]$`)],
  [{ parallel: false, listed: false }, new RegExp(`^${CALL}$`)],
  [{ parallel: true, listed: false }, new RegExp(`^(${CALL}|\\[${CALL}(, ${CALL})*\\])$`)],
])("calls of the shape %j are laid out as Python does", async (shape, expected) => {
  const written = await randomTexts(grammarOf(shape));
  for (const text of written) expect(text).toMatch(expected);
  expect(new Set(written).size).toBeGreaterThan(3);
});

test("arguments satisfy random schemas, each with references within itself", { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = diceOf(seed);
    const [first, second] = [randomSchema(dice), randomSchema(dice)].map((of, i) => ({
      name: `f${i}`,
      parameters: { type: "object", properties: { of: { $ref: "#/$defs/of" } }, required: ["of"], $defs: { of } },
      strict: true,
    }));
    const grammar = attempt(() => grammarOf({ parallel: true, listed: true }, [first, second] as never));
    if (grammar === undefined) continue;
    const schemas = new Map([first, second].map((one) => [one?.name, ajv.compile(one?.parameters ?? true)]));
    for (const call of JSON.parse(await randomText(grammar, dice, 20_000)))
      expect(schemas.get(call.name)?.(call.arguments), JSON.stringify({ seed, call })).toBe(true);
  }
});

describe("parameters that", () => {
  const unenforceable = { type: "object", properties: { x: { type: "integer", multipleOf: 3 } }, required: ["x"] };
  const add = (parameters: JsonSchema, strict: boolean) => new CallGrammar().add({ name: "f", parameters, strict });

  test("cannot be enforced are let in as far as they must be, unless they are strict", async () => {
    const grammar = grammarOf({ parallel: false, listed: false }, [{ ...weather, parameters: unenforceable }]);
    for (const text of await randomTexts(grammar, 20)) expect(JSON.parse(text).arguments.x).toBeTypeOf("number");
    expect(add(unenforceable, false)).toEqual([
      { path: "#/properties/x", reason: "has the keyword multipleOf, which cannot be enforced here" },
    ]);
    expect(() => add(unenforceable, true)).toThrow(
      /^#\/properties\/x has the keyword multipleOf, which cannot be enforced/,
    );
  });

  test("are elsewhere let any object in, and nothing else", async () => {
    const calls = new CallGrammar();
    const elsewhere = { $ref: "https://example.com/schema" };
    expect(calls.add({ name: "f", parameters: elsewhere, strict: false })).toHaveLength(1);
    const grammar = calls.text({ parallel: false, listed: false });
    for (const text of await randomTexts(grammar, 20)) expect(JSON.parse(text).arguments).toBeTypeOf("object");
  });

  test.each<[string, JsonSchema, RegExp]>([
    ["nothing satisfies", { type: "object", properties: { x: { enum: [] } }, required: ["x"] }, /cannot be satisfied/],
    ["are no object", { type: "string" }, /of type "string"; a function's parameters must be an object/],
    ["are no schema", { type: "object", properties: [] }, /properties that are not an object/],
    [
      "are too large",
      { type: "object", properties: Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`property-${i}`, {}])) },
      /too large/,
    ],
  ])("%s are refused, strict or not", (_, parameters, reason) => {
    for (const strict of [true, false]) expect(() => add(parameters, strict)).toThrow(reason);
  });

  test("contain themselves without end are refused", () => {
    const endless = { type: "object", properties: { x: { $ref: "#" } }, required: ["x"] };
    expect(() => grammarOf({ parallel: true, listed: true }, [{ ...weather, parameters: endless }])).toThrow(
      /without end/,
    );
  });
});

test("calls and another grammar make one of either, behind a space too", { timeout: 60_000 }, async () => {
  const calls = grammarOf({ parallel: true, listed: false });
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, age: { type: "integer" } },
    required: ["name"],
  };
  const either = behindSpace(anyOfGrammars([calls, jsonSchemaGrammar(schema)]));
  checkEbnf(either);
  const kinds = new Set<string>();
  for (const text of await randomTexts(either, 150)) {
    expect(text).toMatch(/^ [{[]/);
    const value = JSON.parse(text);
    const isCall = Array.isArray(value) || "arguments" in value;
    kinds.add(isCall ? "call" : "other");
    if (isCall) expect(text.slice(1)).toMatch(new RegExp(`^(${CALL}|\\[${CALL}(, ${CALL})*\\])$`));
    else expect(ajv.validate(schema, value), text).toBe(true);
  }
  expect(kinds.size).toBe(2);
});

test("free text beside calls is anything that is no JSON", async () => {
  const either = anyOfGrammars([grammarOf({ parallel: false, listed: false }), FREE_TEXT]);
  checkEbnf(either);
  const dice = diceOf(5);
  for (let i = 0; i < 60; i++) {
    const text = Buffer.from(await randomBytes(either, dice)).toString();
    if (text.startsWith("{")) expect(text).toMatch(new RegExp(`^${CALL}$`));
    else expect(text).not.toMatch(/^[ \t\r\n[{]/);
  }
});

function attempt(make: () => string): string | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

test("a list ends after 16 calls at the latest", async () => {
  const one = '{"name": "now", "arguments": {}}';
  const grammar = grammarOf({ parallel: true, listed: true }, [now]);
  const list = (calls: number) => `[${Array.from({ length: calls }, () => one).join(", ")}]`;
  expect(await allows(grammar, list(MOST_CALLS))).toBe(true);
  expect(await allows(grammar, list(MOST_CALLS + 1))).toBe(false);
});
