import { expect, it } from "vitest";
import type { GrammarSource } from "./grammar-source.js";
import { writeLenient } from "./lenient.js";

const properties = (count: number, schema: object) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`field_${i}`, schema]));

const tools = (count: number, schema: object): GrammarSource => ({
  kind: "calls",
  param: "tools",
  shape: { parallel: true, listed: true },
  functions: Array.from({ length: count }, (_, i) => ({
    name: `tool_${i}`,
    param: `tools.${i}`,
    parameters: { type: "object", properties: properties(10, schema) },
    strict: true,
  })),
});

const grammarText = (source: GrammarSource): string => writeLenient(source).grammar;
const schema = (schema: object, strict = true): GrammarSource => ({
  kind: "schema",
  param: "s",
  schema: { ...schema },
  strict,
});
const texts = (count: number, length: number) => Array.from({ length: count }, (_, i) => `${"x".repeat(length)}${i}`);

/** Each took 1.5 to 95 s when the time grew with the square of the size. Ten times what they take on a quiet core. */
const MOST_MS = 4000;

it.each<[string, GrammarSource]>([
  ["60 tools of 10 bounded strings", tools(60, { type: "string", minLength: 1, maxLength: 512 })],
  ["values that are long and begin alike", schema({ enum: texts(60, 1500) })],
  ["4,096 values", schema({ enum: texts(4096, 5) })],
  [
    "300 properties of formats",
    schema({ type: "object", properties: properties(300, { format: "uri", type: "string" }) }),
  ],
  [
    "1,000 properties and others",
    schema({ type: "object", properties: properties(1000, {}), additionalProperties: {} }),
  ],
  ["a class of 8,000 characters", { kind: "regex", param: "r", pattern: `[${everySecondCharacter(8000)}]{1,20}` }],
  ["10,000 alternatives", { kind: "regex", param: "r", pattern: texts(10_000, 1).join("|") }],
])("%s are written soon", (_, source) => {
  const startedAt = performance.now();
  expect(grammarText(source)).toMatch(/^root ::= /);
  expect(performance.now() - startedAt).toBeLessThan(MOST_MS);
});

it("3,000 properties are refused at once, with the limit", () => {
  const startedAt = performance.now();
  const source = schema({ type: "object", properties: properties(3000, { type: "string" }) });
  expect(() => grammarText(source)).toThrow("is too large: its grammar has more than 262144 characters");
  expect(performance.now() - startedAt).toBeLessThan(MOST_MS);
  expect(
    writeLenient(schema({ type: "object", properties: properties(3000, { type: "string" }) }, false)),
  ).toMatchObject({
    grammar: expect.stringMatching(/^root ::= /),
    warnings: [{ param: "s", path: "#", reason: "is too costly to be enforced" }],
  });
});

function everySecondCharacter(count: number): string {
  return Array.from({ length: count }, (_, i) => String.fromCharCode(0x4e00 + 2 * i)).join("");
}
