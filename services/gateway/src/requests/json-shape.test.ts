import { describe, expect, it } from "vitest";
import { type JsonLimits, JsonShape } from "./json-shape.js";

const LIMITS: JsonLimits = { depth: 3, parts: 8, keys: 3, values: 9 };

/** What is wrong with the text, if anything. `size`: of the pieces in which it arrives. */
function problemOf(text: string, size = 1000): string | null {
  const shape = new JsonShape(LIMITS);
  const bytes = Buffer.from(text);
  let problem: string | null = null;
  for (let at = 0; at < bytes.length; at += size) problem = shape.push(bytes.subarray(at, at + size));
  return problem;
}

const TAKEN = [
  "[[[1]]]",
  '{"a":{"b":{}}}',
  "[1,2,3,4,5,6,7,8,9,10]",
  '{"a":1,"b":2,"c":3}',
  '{"a":{"b":1,"c":2},"d":{"e":3}}',
  '{"0":1,"12":2,"345678":3,"4":4,"5":5}',
  '["[[[[[[[["]',
  '["\\"[[[[[[["]',
  '["\\\\",1]',
  '{"{[[[:,,,,":"}}]]"}',
  "[[],[],[],[],[]]",
  '"🦊[[[[[["',
];

const REFUSED: readonly (readonly [text: string, problem: RegExp])[] = [
  ["[[[[1]]]]", /more than 3 levels/],
  ["[".repeat(1e6), /more than 3 levels/],
  ['["\\\\",[[[1]]]]', /more than 3 levels/],
  ["[1,2,3,4,5,6,7,8,9,10,11]", /more than 9 values/],
  ["[[],[],[],[],[],[],[],[]]", /more than 8 objects, lists and keys/],
  ['{"a":1,"b":2,"c":3,"d":4}', /an object of more than 3 keys/],
  ['{"a":1,"b":2,"c":{"x":1},"d":4}', /an object of more than 3 keys/],
  ['{"1x":1,"-2":2,"1234567":3,"":4}', /an object of more than 3 keys/],
];

describe.each([1, 2, 3, 1000])("in pieces of %d bytes", (size) => {
  it.each(TAKEN)("%s is taken", (text) => expect(problemOf(text, size)).toBeNull());
  it.each(REFUSED)("%.30s is refused: %s", (text, problem) => expect(problemOf(text, size)).toMatch(problem));
});

it("what is not JSON is left to the parser", () => expect(problemOf("]]]]}}}} \\\\ not json")).toBeNull());

it("counts what JSON.parse finds, whatever the texts hold", () => {
  const value = { '"': ["\\", '\\"', "a,b:c", { d: [[], {}] }], e: [1, 2, 3] };
  const parts = 7 + 3; // objects and lists, keys
  for (const [limit, isTaken] of [
    [parts, true],
    [parts - 1, false],
  ] as const) {
    const shape = new JsonShape({ depth: 9, parts: limit, keys: 99, values: 99 });
    const problem = shape.push(Buffer.from(JSON.stringify(value)));
    if (isTaken) expect(problem).toBeNull();
    else expect(problem).toContain(`${limit} objects`);
  }
});
