import { expect, it } from "vitest";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { shortestText } from "./shortest-text.js";

it.each<[string, number]>([
  ['root ::= "abc" | "de"', 2],
  ['root ::= a a\na ::= "x"* [0-9] | b "long"\nb ::= ("y" | "")', 2],
  ['root ::= "é"', 2],
  ["root ::= root", Number.POSITIVE_INFINITY],
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
