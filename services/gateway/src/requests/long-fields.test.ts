import { describe, expect, it } from "vitest";
import { z } from "zod";
import { spin } from "../testing/spin.js";
import { turnsDuring } from "../testing/turns-during.js";
import {
  anyObject,
  boundedObject,
  entriesOf,
  listInTurns,
  listOf,
  logitBias,
  readBody,
  readBodyInTurns,
  readFields,
  texts,
  tokenIdLists,
  tokenIds,
  tokenIdsOrNone,
} from "./long-fields.js";

const issuesOf = (schema: z.ZodType, value: unknown): number => schema.safeParse(value).error?.issues.length ?? 0;

describe("long fields", () => {
  it.each<[string, z.ZodType, unknown]>([
    ["ids", tokenIds, [0, 5]],
    ["no ids", tokenIdsOrNone, []],
    ["lists of ids", tokenIdLists(2), [[1], [2, 3]]],
    ["texts", texts(2), ["a", ""]],
    ["items", listOf(z.number(), 2), [1, 2]],
    ["any number of items", listOf(z.number()), Array.from({ length: 1000 }, (_, i) => i)],
    ["any object", anyObject, { a: [1], b: null }],
    ["a bounded object", boundedObject, { a: Array(9_997).fill(1), b: {} }],
    ["entries", entriesOf(z.record(z.string(), z.number()), 2), { a: 1, b: 2 }],
  ])("%s are taken", (_, schema, value) => expect(schema.parse(value)).toEqual(value));

  it("biases are read as ids and values", () => {
    expect(logitBias.parse({ "012": 0.5, "7": -100, "9999999999": 1 })).toEqual({
      ids: Float64Array.of(7, 12, 9_999_999_999),
      values: Float32Array.of(-100, 0.5, 1),
    });
  });

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
    ["no digits as a key", logitBias, { "": 1 }],
    ["a key of 11 digits", logitBias, { "00000000001": 1 }],
    ["a negative key", logitBias, { "-1": 1 }],
    ["more items than allowed", listOf(z.number(), 2), [1, 2, 3]],
    ["a bad item", listOf(z.number(), 2), ["a"]],
    ["a list in place of an object", anyObject, []],
    ["more values than allowed", boundedObject, { a: Array(9_998).fill(1), b: {} }],
    ["more entries than allowed", entriesOf(z.record(z.string(), z.number()), 1), { a: 1, b: 2 }],
    ["a bad entry", entriesOf(z.record(z.string(), z.number()), 1), { a: "b" }],
  ])("%s: refused with one issue", (_, schema, value) => expect(issuesOf(schema, value)).toBe(1));

  it.each<[string, z.ZodType, unknown]>([
    ["ids", tokenIds, Array(100_000).fill("x")],
    ["lists of ids", tokenIdLists(100_000), Array(100_000).fill("x")],
    ["texts", texts(100_000), Array(100_000).fill(1)],
    ["biases", logitBias, Object.fromEntries(Array.from({ length: 100_000 }, (_, id) => [id, "x"]))],
    ["items of a list that is too long", listOf(z.string(), 10), Array(100_000).fill(1)],
    ["items of any list", listOf(z.string()), Array(100_000).fill(1)],
    ["lists of items", listOf(listOf(z.object({ a: z.string() }))), Array(1000).fill(Array(100).fill({}))],
    [
      "entries",
      entriesOf(z.record(z.string(), z.string()), 16),
      Object.fromEntries(Array.from({ length: 100_000 }, (_, key) => [key, 1])),
    ],
  ])("100,000 bad %s are refused with one issue", (_, schema, value) => expect(issuesOf(schema, value)).toBe(1));

  it("name the first bad item", () => {
    const values = Array.from({ length: 200 }, (_, index) => ({ a: [index < 150 ? "text" : 0] }));
    const { error } = listOf(z.object({ a: listOf(z.string()) })).safeParse(values);
    expect(error?.issues).toMatchObject([{ code: "invalid_type", path: [150, "a", 0], expected: "string" }]);
  });

  it("are described as lists and objects in the OpenAPI document", () => {
    const schemaOf = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
    expect(schemaOf(tokenIds)).toMatchObject({ type: "array", items: { type: "integer" } });
    expect(schemaOf(logitBias)).toMatchObject({ type: "object", additionalProperties: { type: "number" } });
    expect(schemaOf(listOf(z.string(), 3))).toMatchObject({ type: "array", maxItems: 3, items: { type: "string" } });
  });
});

describe("the lists of a body", () => {
  const schema = z.object({ lists: listOf(listOf(z.number())) });
  const lists = (count: number) => ({ lists: Array.from({ length: 100 }, () => Array(count).fill(1)) });

  it("may have 16,384 items in all", () => {
    expect(readBody(schema, lists(162)).success).toBe(true);
    const { error } = readBody(schema, lists(163));
    expect(error?.issues).toMatchObject([
      { path: ["lists", 99], message: "has, with the lists before it, more than 16384 items; send fewer" },
    ]);
  });

  it("do not count for the next one, nor outside a body", () => {
    expect(readBody(schema, lists(200)).success).toBe(false);
    expect(readBody(schema, lists(100)).success).toBe(true);
    expect(readFields(schema, lists(200)).success).toBe(true);
  });
});

describe("a list that is read in turns", () => {
  const slow = z.custom<number>((value) => spin(0.2) === undefined && typeof value === "number", "must be a number");
  const schema = z.object({ first: listOf(z.number()), second: z.union([z.string(), listInTurns(slow, 1000)]) });

  it("lets the event loop turn, and keeps the order of its items", async () => {
    const body = { first: [], second: [...Array(500).keys()] };
    const { result, turns } = await turnsDuring(() => readBodyInTurns(schema, body));
    expect(result).toEqual({ success: true, data: body });
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  it("is refused at its first bad item, for too many, and for what is no list", async () => {
    const issuesOf = async (second: unknown) => (await readBodyInTurns(schema, { first: [], second })).error?.issues;
    const bad = [...Array(999).fill(1), "a"];
    expect(await issuesOf(bad)).toMatchObject([{ errors: [[{}], [{ path: [999], message: "must be a number" }]] }]);
    expect(await issuesOf(Array(1001).fill(1))).toMatchObject([{ errors: [[{}], [{ code: "too_big" }]] }]);
    expect(await issuesOf(5)).toMatchObject([{ errors: [[{}], [{ code: "invalid_type" }]] }]);
  });

  it("counts with the lists of its own body, and not of one that is read in the same turns", async () => {
    const item = z.object({ parts: listOf(z.number()) });
    const lists = z.object({ list: listInTurns(item, 1000) });
    const body = (parts: number) => ({ list: Array.from({ length: 100 }, () => ({ parts: Array(parts).fill(1) })) });
    const [fits, other, tooMany] = await Promise.all(
      [162, 162, 163].map((parts) => readBodyInTurns(lists, body(parts))),
    );
    expect([fits?.success, other?.success]).toEqual([true, true]);
    expect(tooMany?.error?.issues).toMatchObject([{ path: ["list", 99, "parts"] }]);
  });
});
