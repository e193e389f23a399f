import { expect, it } from "vitest";
import type { GrammarSource } from "./grammar-source.js";
import { isLenient, LAST_LEVEL, letThrough, writeLenient } from "./lenient.js";

const inner = { type: "object", properties: { c: { enum: ["deep"] } }, required: ["c"] };
const schema = {
  type: "object",
  properties: { a: { enum: ["flat"] }, b: inner, d: { type: "array", items: inner } },
  required: ["a", "b", "d"],
};
const source = (strict: boolean): GrammarSource => ({ kind: "schema", param: "response_format", schema, strict });
const shape = { parallel: false, listed: false };

it.each<[number, readonly string[], readonly string[]]>([
  [0, [], ["flat", "deep"]],
  [1, ["#/properties/b/properties/c", "#/properties/d/items"], ["flat"]],
  [2, ["#/properties/a", "#/properties/b", "#/properties/d"], []],
  [LAST_LEVEL, ["#"], []],
])("level %d lets through what is too deep", (level, paths, left) => {
  const { grammar, warnings } = writeLenient(source(false), level);
  expect(warnings.map(({ param, path }) => `${param} ${path}`)).toEqual(paths.map((path) => `response_format ${path}`));
  expect(["flat", "deep"].filter((word) => grammar.includes(word))).toEqual(left);
  expect(writeLenient(source(true), Math.min(level, LAST_LEVEL - 1))).toEqual(writeLenient(source(true)));
});

it("goes on to the next level where a grammar is too large", () => {
  const properties = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`property_${i}`, inner]));
  const large: GrammarSource = { kind: "schema", param: "p", schema: { type: "object", properties }, strict: false };
  const { warnings } = writeLenient(large);
  const reason = "is nested more than 1 deep, in a schema that is too costly to be enforced whole";
  expect(warnings[0]).toEqual({ param: "p", path: "#/properties/property_0", reason });
  expect(warnings.at(-1)?.reason).toBe("has 880 more such places");
  expect(() => writeLenient({ ...large, strict: true } as GrammarSource)).toThrow("is too large");
});

it("lets functions through that are not strict, and tells of the first 32", () => {
  const named = (i: number) => ({ name: `f${i}`, param: `tools.${i}`, parameters: schema, strict: i === 0 });
  const calls: GrammarSource = {
    kind: "calls",
    param: "tools",
    functions: Array.from({ length: 40 }, (_, i) => named(i)),
    shape,
  };
  expect(isLenient(calls)).toBe(true);
  const { source: left, warnings } = letThrough(calls, "is too large");
  expect(left).toMatchObject({ functions: [{ parameters: schema }, { parameters: { type: "object" } }] });
  expect(warnings).toHaveLength(33);
  expect(warnings[0]).toEqual({ param: "tools.1", path: "#", reason: "is too large" });
  expect(warnings[32]).toEqual({ param: "tools.33", path: "#", reason: "has 7 more such places, in 7 schemas" });
  expect(isLenient({ kind: "either", param: "p", sources: [source(true), { ...calls, functions: [named(0)] }] })).toBe(
    false,
  );
});
