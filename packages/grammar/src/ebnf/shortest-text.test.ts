import { expect, it } from "vitest";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { parseEbnf } from "./parse-ebnf.js";
import { shortestTexts } from "./shortest-text.js";

const shortestText = (grammar: string) => shortestTexts(parseEbnf(grammar)).get("root") ?? Number.POSITIVE_INFINITY;

it.each<[string, number]>([
  ['root ::= "abc" | "de"', 2],
  ['root ::= a a\na ::= "x"* [0-9] | b "long"\nb ::= ("y" | "")', 2],
  ['root ::= "é"', 2],
  ["root ::= root", Number.POSITIVE_INFINITY],
  ['root ::= a "x" | "longer"\na ::= b b\nb ::= "yy" | a | ""?', 1],
  ['root ::= "a"*? | "b"', 0],
])("of %j has %d bytes", (grammar, bytes) => {
  expect(shortestText(grammar)).toBe(bytes);
});

it("of a schema is about as long as its shortest value", () => {
  const schema = {
    type: "object",
    properties: { ab: { type: "string", minLength: 3 }, c: {} },
    required: ["ab"],
  } as const;
  const shortest = shortestText(jsonSchemaGrammar(schema));
  expect(shortest).toBeGreaterThanOrEqual('{"ab":"xyz"}'.length);
  expect(shortest).toBeLessThan(24);
});

it("of rules that each contain the next is found in time that grows as they do", () => {
  const chain = (rules: number, order: (a: string, b: string) => number) => {
    const lines = Array.from({ length: rules }, (_, i) => `r${i} ::= "x" r${i + 1} r${rules} | r${i + 2} "y" r${i}`);
    return [...lines, `r${rules} ::= "z"`, `r${rules + 1} ::= "z"`, "root ::= r0"].toSorted(order).join("\n");
  };
  const orders = [(a: string, b: string) => a.localeCompare(b), (a: string, b: string) => b.localeCompare(a)];
  for (const order of orders) {
    const startedAt = performance.now();
    expect(shortestText(chain(4000, order))).toBe(8001);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  }
});
