import { expect, it } from "vitest";
import { type Expression, parseEbnf } from "./parse-ebnf.js";

const text = (bytes: number): Expression => expect.objectContaining({ kind: "text", bytes });
const sequence = (...parts: Expression[]): Expression => ({ kind: "sequence", parts });
const choice = (...parts: Expression[]): Expression => ({ kind: "choice", parts });
const repeat = (of: Expression, min: number, max = Number.POSITIVE_INFINITY): Expression => ({
  kind: "repeat",
  of,
  min,
  max,
});

it.each<{ source: string; expected: Expression }>([
  { source: '"abc"', expected: choice(sequence(text(3))) },
  { source: '""', expected: choice(sequence(text(0))) },
  { source: '"é"', expected: choice(sequence(text(2))) },
  { source: "[a-z]", expected: choice(sequence(text(1))) },
  { source: "other", expected: choice(sequence({ kind: "rule", name: "other" })) },
  { source: '"a" "bc" | [d]', expected: choice(sequence(text(1), text(2)), sequence(text(1))) },
  { source: '"a" | ', expected: choice(sequence(text(1)), sequence()) },
  { source: '"a"*', expected: choice(sequence(repeat(text(1), 0))) },
  { source: '"a"+', expected: choice(sequence(repeat(text(1), 1))) },
  { source: '"a"?*', expected: choice(sequence(repeat(repeat(text(1), 0, 1), 0))) },
  { source: '"a"{0,3}', expected: choice(sequence(repeat(text(1), 0, 3))) },
  { source: '"a"{ , 3 }', expected: choice(sequence(repeat(text(1), 0, 3))) },
  { source: '"a"{1,3}', expected: choice(sequence(repeat(text(1), 1, 3))) },
  { source: '"a"{2}', expected: choice(sequence(repeat(text(1), 2, 2))) },
  { source: '"a"{2,}', expected: choice(sequence(repeat(text(1), 2))) },
  { source: '("a" | "bb")', expected: choice(sequence(choice(sequence(text(1)), sequence(text(2))))) },
  { source: '(= "abc")', expected: choice(sequence(text(0))) },
])("reads $source", ({ source, expected }) => {
  expect(parseEbnf(`root ::= ${source}`).get("root")).toEqual(expected);
});

it("keeps the rules in their order, each up to the next name with ::=", () => {
  const rules = parseEbnf('root ::= a\n  b\na ::= "x"\nb ::= a');
  expect([...rules.keys()]).toEqual(["root", "a", "b"]);
  expect(rules.get("root")).toEqual(choice(sequence({ kind: "rule", name: "a" }, { kind: "rule", name: "b" })));
});
