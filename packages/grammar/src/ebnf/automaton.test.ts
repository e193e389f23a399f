import { expect, it } from "vitest";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { regexTextGrammar } from "../text-grammars.js";
import { automatonOf } from "./automaton.js";
import { bytesOfText, sequencesOfClass } from "./byte-sets.js";

it.each<[string, number[]]>([
  ['"ab"', [0x61, 0x62]],
  ['"é"', [0xc3, 0xa9]],
  ['"\\"\\\\\\n\\u00e9"', [0x22, 0x5c, 0x0a, 0xc3, 0xa9]],
  ['""', []],
])("the bytes of %s", (source, bytes) => expect([...bytesOfText(source)]).toEqual(bytes));

it.each<[string, readonly (readonly [number, number])[]]>([
  [
    "[a-c_]",
    [
      [0x5f, 0x5f],
      [0x61, 0x63],
    ],
  ],
  ["[\\x80-\\xbf]", [[0x80, 0xbf]]],
  [
    "[a\\-z]",
    [
      [0x2d, 0x2d],
      [0x61, 0x61],
      [0x7a, 0x7a],
    ],
  ],
  ["[\\x61\\x61]", [[0x61, 0x61]]],
])("the bytes of %s", (source, ranges) => expect(sequencesOfClass(source)).toEqual([[ranges]]));

it("a negative class is the other characters", () => {
  const [ascii, ...wide] = sequencesOfClass('[^"\\\\]');
  expect(ascii).toEqual([
    [
      [0x00, 0x21],
      [0x23, 0x5b],
      [0x5d, 0x7f],
    ],
  ]);
  expect(wide.map(({ length }) => length)).toEqual([2, 3, 4]);
});

it.each<[string, number, number]>([
  ['root ::= "abc" | "de"', 2, 0],
  ['root ::= "a" ("b" | "cccc")', 2, 2],
  ['root ::= [a-z]* end\nend ::= "END"', 3, 0],
  ['root ::= a a\na ::= "x"{2,3} | "y"', 2, 0],
  ['root ::= "a" more?\nmore ::= "bbbb" root', 1, 4],
  [regexTextGrammar("\\d{5}"), 5, 0],
  [regexTextGrammar("a|b{40}"), 1, 38],
  [jsonSchemaGrammar({ type: "array", items: { type: "null" }, minItems: 2 }), 11, 4],
])("of %s the shortest text has %d bytes, and one byte leads %d away from the end", (grammar, rest, risk) => {
  expect(automatonOf(grammar)).toMatchObject({ rest, risk });
});

it("a grammar with too many places is not followed", () => {
  expect(automatonOf('root ::= (("a" "b" "c"){1,500}){1,500}')).toBeUndefined();
});
