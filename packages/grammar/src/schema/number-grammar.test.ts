import { describe, expect, it } from "vitest";
import { judgeOf } from "../testing/judge.js";
import { allowedOf, randomTexts } from "../testing/random-text.js";
import { jsonSchemaGrammar } from "./json-schema-grammar.js";

/** Spellings around the bounds below; JSON.parse and Ajv say which are right. */
const PROBES = [
  "0",
  "-0",
  "1",
  "-1",
  "2",
  "3",
  "5",
  "7",
  "9",
  "10",
  "11",
  "99",
  "100",
  "101",
  "-3",
  "-10",
  "-11",
  "0.0",
  "0.5",
  "-0.5",
  "0.25",
  "0.24",
  "0.26",
  "0.250",
  "0.249",
  "1.5",
  "2.5",
  "2.50",
  "2.51",
  "2.49",
  "-2.25",
  "-2.26",
  "-2.24",
  "-1.75",
  "3.125",
  "3.1",
  "3.2",
  "9.99",
  "10.0",
  "10.5",
  "-0.1",
  "0.000001",
  "1e2",
  "1E+2",
  "-1e-1",
  "1.0",
  "2.0",
  "999999999999999",
  "12.0",
];
const MALFORMED = ["01", "+1", ".5", "1.", "--1", "1e", "0x1", "1 ", "1,5", "-", "1000000000000000", "NaN"];

describe("numbers within bounds", () => {
  it.each([
    { type: "integer", minimum: 3 },
    { type: "integer", minimum: -3, maximum: 10 },
    { type: "integer", exclusiveMinimum: 2, exclusiveMaximum: 10 },
    { type: "integer", minimum: 0.5, maximum: 2.5 },
    { type: "integer", maximum: -1 },
    { type: "integer", minimum: 7, maximum: 7 },
    { type: "integer", minimum: 2, exclusiveMinimum: 5 },
    { type: "number", minimum: 0 },
    { type: "number", exclusiveMinimum: 0, maximum: 1 },
    { type: "number", minimum: 0.25, maximum: 2.5 },
    { type: "number", exclusiveMinimum: 0.25, exclusiveMaximum: 2.5 },
    { type: "number", minimum: -2.25, maximum: -1.75 },
    { type: "number", minimum: -2.25, maximum: 3.125 },
    { type: "number", exclusiveMinimum: -1, exclusiveMaximum: 1 },
    { type: "number", minimum: 9.99, maximum: 10 },
    { type: "number", maximum: 100 },
    { type: "number", minimum: 1, maximum: 1 },
    { type: "number", minimum: 0.249999999, maximum: 2.500000001 },
    { type: "number", minimum: 1e-10, maximum: 0.5 },
    { type: "number", exclusiveMinimum: -1e-10, exclusiveMaximum: 0.1 + 0.2 },
    { type: "number", minimum: 0.1 + 0.2, maximum: 0.4 },
  ])("are never spelled outside them: %j", async (schema) => {
    const judge = judgeOf(schema);
    const grammar = jsonSchemaGrammar(schema);
    for (const text of await allowedOf(grammar, PROBES)) expect(judge(text)).toBeNull();
    for (const text of await randomTexts(grammar, 40)) expect(judge(text)).toBeNull();
    expect(await allowedOf(grammar, MALFORMED)).toEqual([]);
  });

  it.each([
    { schema: { type: "integer", minimum: -3, maximum: 10 }, values: ["-3", "-1", "0", "9", "10"] },
    { schema: { type: "integer", multipleOf: 1 }, values: ["-12", "0", "999999999999999"] },
    { schema: { type: "integer", exclusiveMinimum: 2, exclusiveMaximum: 10 }, values: ["3", "9"] },
    { schema: { type: "number", minimum: 0 }, values: ["0", "0.5", "3.125", "100", "999999999999999"] },
    { schema: { type: "number", minimum: 0.25, maximum: 2.5 }, values: ["0.25", "0.26", "1", "1.5", "2.49", "2.50"] },
    { schema: { type: "number", exclusiveMinimum: 0.25 }, values: ["0.251", "7", "7.25"] },
    { schema: { type: "number", minimum: -2.25, maximum: -1.75 }, values: ["-2.25", "-2.240", "-2", "-1.75"] },
    {
      schema: { type: "number", exclusiveMinimum: -1, exclusiveMaximum: 1 },
      values: ["-0.9", "0", "-0.5", "0.9", "0.5"],
    },
    {
      schema: { type: "number", minimum: 1e-10, maximum: 2.4999999 },
      values: ["0.000010", "0.500000", "1.5", "2", "2.490000"],
    },
    { schema: { type: "number" }, values: ["-1.5e-10", "1E+99", "0.000001", "-0.0"] },
  ])("can be spelled: $schema", async ({ schema, values }) => {
    const spelled = values.map((value) => (value.includes(".") ? [value, `${value}0`] : [value]));
    for (const [value = "", longer = ""] of spelled) {
      const allowed = await allowedOf(jsonSchemaGrammar(schema), [value, longer]);
      expect(allowed.length, value).toBeGreaterThan(0);
    }
  });
});

it.each([
  { schema: { type: "integer", format: "int32" }, allowed: ["2147483647", "-2147483648"] },
  { schema: { type: "integer", format: "int32", minimum: 1 }, allowed: ["2147483647"] },
  { schema: { type: "integer", format: "int64" }, allowed: ["2147483647", "2147483648", "-2147483648", "-2147483649"] },
])("$schema has the format's range", async ({ schema, allowed }) => {
  const texts = ["2147483647", "2147483648", "-2147483648", "-2147483649"];
  expect(await allowedOf(jsonSchemaGrammar(schema), texts)).toEqual(allowed);
});

describe("number schemas that are refused", () => {
  it.each([
    {
      schema: { type: "integer", minimum: 5, maximum: 4 },
      message: "cannot be satisfied: # has a range that contains no number",
    },
    { schema: { type: "integer", minimum: 0.2, maximum: 0.8 }, message: "has a range that contains no number" },
    { schema: { type: "number", exclusiveMinimum: 1, maximum: 1 }, message: "has a range that contains no number" },
    { schema: { type: "number", minimum: "1" }, message: "# has a minimum that is not a number" },
    {
      schema: { type: "number", minimum: 1e-10, maximum: 2e-10 },
      message: "# has a range of numbers that are too large",
    },
    { schema: { type: "integer", minimum: 1e16 }, message: "# has a range of numbers that are too large" },
    { schema: { type: "number", maximum: -1e15 }, message: "# has a range of numbers that are too large" },
    {
      schema: { type: "number", minimum: 1e8 + 0.5, maximum: 1e8 + 0.75 },
      message: "# has a range of numbers that are too large, or too close together, to be spelled",
    },
    { schema: { type: "integer", minimum: 1e16, maximum: 1e15 }, message: "has a range that contains no number" },
    {
      schema: { type: "number", multipleOf: 0.5 },
      message: "# has the keyword multipleOf, which cannot be enforced here",
    },
    { schema: { type: "integer", multipleOf: 2 }, message: "multipleOf" },
  ])("%j", ({ schema, message }) => {
    expect(() => jsonSchemaGrammar(schema)).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringContaining(message) }),
    );
  });
});
