import { describe, expect, it } from "vitest";
import { automatonOf } from "../ebnf/automaton.js";
import { jsonSchemaGrammar } from "../schema/json-schema-grammar.js";
import { regexTextGrammar } from "../text-grammars.js";
import { NEVER, readAhead } from "./ahead.js";
import { EndFinder } from "./end-finder.js";

function ahead(grammar: string, text: string) {
  const root = automatonOf(grammar);
  if (root === undefined) return undefined;
  const finder = new EndFinder(root);
  finder.read(Buffer.from(text));
  return readAhead(finder.ahead);
}

const letters = (bytes: Int32Array | undefined) =>
  [...(bytes ?? []).entries()].flatMap(([byte, rest]) => (rest < NEVER ? [[String.fromCharCode(byte), rest]] : []));

const tree = {
  $ref: "#/$defs/t",
  $defs: { t: { type: "object", properties: { v: { type: "null" }, next: { $ref: "#/$defs/t" } }, required: ["v"] } },
};
const json = jsonSchemaGrammar(tree);

describe("the shortest end", () => {
  it.each<[string, string, string, number]>([
    ["a pattern", regexTextGrammar("[a-z ]*END"), "some words", 3],
    ["a pattern, within what it owes", regexTextGrammar("[a-z ]*END"), "some wordsE", 2],
    ["a pattern that is complete", regexTextGrammar("[a-z ]*END"), "some wordsEND", 0],
    ["a count", regexTextGrammar("\\d{20}"), "123", 17],
    ["a way that was taken", regexTextGrammar("a|b\\d{40}"), "b1", 39],
    ["a character, within it", regexTextGrammar("日本"), "日\xe6".slice(0, 1), 3],
    ["an object", json, '{"v":', 5],
    ["an object within others", json, '{"v":null,"next":{"v":null,"next":{', 11],
    ["a string under a pattern", jsonSchemaGrammar({ type: "string", pattern: "@example\\.com$" }), '"me@', 12],
    ["a string that must contain", jsonSchemaGrammar({ type: "string", pattern: "\\d{3}" }), '"a12', 2],
    ["a string that contains it", jsonSchemaGrammar({ type: "string", pattern: "\\d{3}" }), '"a123 and', 1],
    ["a left-recursive rule", 'root ::= root "+" n | n\nn ::= "12"', "12+1", 1],
    ["a rule that may be empty", 'root ::= a a "x"\na ::= "" | "yy"', "y", 2],
  ])("of %s is known", (_, grammar, text, owed) => {
    expect(ahead(grammar, text)?.owed).toBe(owed);
  });

  it("tells for each byte how far it is from the end", () => {
    const of = ahead(regexTextGrammar("(a|b{3}|c*)d"), "");
    expect(letters(of?.near)).toEqual([
      ["a", 2],
      ["b", 4],
      ["c", 2],
      ["d", 1],
    ]);
    expect(letters(ahead('root ::= [E-F]* "EE"', "F")?.near)).toEqual([
      ["E", 2],
      ["F", 3],
    ]);
    expect(letters(ahead('root ::= [E-F]* "EE"', "F")?.calm)).toEqual([
      ["E", 3],
      ["F", 3],
    ]);
  });

  it("takes no letter of several bytes for a detour", () => {
    expect(ahead(regexTextGrammar("[^a]*b"), "x")).toMatchObject({ owed: 1, risk: 0 });
    expect(ahead(regexTextGrammar("[^a]*b"), "日")).toMatchObject({ owed: 1, risk: 0 });
    expect(letters(ahead(regexTextGrammar("日?"), "")?.near)).toEqual([["\xe6", 3]]);
  });

  it("has the bytes that are certain", () => {
    const path = (grammar: string, text: string) => Buffer.from(ahead(grammar, text)?.path ?? []).toString();
    expect(path(json, '{"v":null,"next":{')).toBe('"v":null}}');
    expect(path(regexTextGrammar("ab\\dc"), "")).toBe("ab");
    expect(path(regexTextGrammar("ab"), "ab")).toBe("");
  });

  it("is not known of a text that the grammar does not allow", () => {
    expect(ahead(regexTextGrammar("ab"), "ax")).toBeUndefined();
  });

  it("is found in a moment for texts that can be read in many ways", () => {
    const startedAt = performance.now();
    const grammar = 'root ::= a*\na ::= "x" | a a | "xx" a?';
    ahead(grammar, "x".repeat(2000));
    ahead(regexTextGrammar("((a|aa|[a-z]+){1,50}x){1,50}"), "ax".repeat(500));
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
