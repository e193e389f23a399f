import { describe, expect, it } from "vitest";
import { z } from "zod";
import { listOf, logitBias, texts, tokenIdLists, tokenIds, tokenIdsOrNone } from "./long-fields.js";

const issuesOf = (schema: z.ZodType, value: unknown): number => schema.safeParse(value).error?.issues.length ?? 0;

describe("long fields", () => {
  it.each<[string, z.ZodType, unknown]>([
    ["ids", tokenIds, [0, 5]],
    ["no ids", tokenIdsOrNone, []],
    ["lists of ids", tokenIdLists(2), [[1], [2, 3]]],
    ["texts", texts(2), ["a", ""]],
    ["biases", logitBias, { "0": -100, "12": 0.5 }],
    ["items", listOf(z.number(), 2), [1, 2]],
  ])("%s are taken", (_, schema, value) => expect(schema.parse(value)).toEqual(value));

  it.each<[string, z.ZodType, unknown]>([
    ["no ids", tokenIds, []],
    ["a negative id", tokenIds, [1, -1]],
    ["half an id", tokenIds, [0.5]],
    ["a text among ids", tokenIds, [1, "2"]],
    ["an empty list of ids", tokenIdLists(2), [[1], []]],
    ["more lists than allowed", tokenIdLists(2), [[1], [1], [1]]],
    ["more texts than allowed", texts(2), ["a", "b", "c"]],
    ["an id among texts", texts(2), ["a", 1]],
    ["a bias above 100", logitBias, { "1": 101 }],
    ["a bias that is a text", logitBias, { "1": "1" }],
    ["a key that is no id", logitBias, { a: 1 }],
    ["more items than allowed", listOf(z.number(), 2), [1, 2, 3]],
    ["a bad item", listOf(z.number(), 2), ["a"]],
  ])("%s: refused with one issue", (_, schema, value) => expect(issuesOf(schema, value)).toBe(1));

  it.each<[string, z.ZodType, unknown]>([
    ["ids", tokenIds, Array(100_000).fill("x")],
    ["lists of ids", tokenIdLists(100_000), Array(100_000).fill("x")],
    ["texts", texts(100_000), Array(100_000).fill(1)],
    ["biases", logitBias, Object.fromEntries(Array.from({ length: 100_000 }, (_, id) => [id, "x"]))],
    ["items of a list that is too long", listOf(z.string(), 10), Array(100_000).fill(1)],
  ])("100,000 bad %s are refused with one issue", (_, schema, value) => expect(issuesOf(schema, value)).toBe(1));

  it("are described as lists and objects in the OpenAPI document", () => {
    const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
    expect(schemaOf(tokenIds)).toMatchObject({ type: "array", items: { type: "integer" } });
    expect(schemaOf(logitBias)).toMatchObject({ type: "object", additionalProperties: { type: "number" } });
    expect(schemaOf(listOf(z.string(), 3))).toMatchObject({ type: "array", maxItems: 3, items: { type: "string" } });
  });
});
