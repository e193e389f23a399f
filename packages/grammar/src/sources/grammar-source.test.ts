import { describe, expect, it } from "vitest";
import { choiceGrammar, regexTextGrammar } from "../text-grammars.js";
import { type GrammarSource, writeGrammar } from "./grammar-source.js";

const shape = { parallel: false, listed: false };
const none = { parameters: undefined, strict: false };

const grammarText = (source: GrammarSource): string => writeGrammar(source).grammar;

describe("writeGrammar", () => {
  it.each<[string, GrammarSource, string]>([
    ["a pattern", { kind: "regex", param: "p", pattern: "a+" }, regexTextGrammar("a+")],
    ["choices", { kind: "choice", param: "p", choices: ["a", "b"] }, choiceGrammar(["a", "b"])],
    ["EBNF, as it is", { kind: "ebnf", param: "p", grammar: 'root ::= "a"' }, 'root ::= "a"'],
  ])("writes %s", (_, source, text) => expect(grammarText(source)).toBe(text));

  it("writes schemas, calls and either of two", () => {
    const sources: GrammarSource[] = [
      { kind: "schema", param: "p", schema: { const: "s" }, strict: true },
      { kind: "calls", param: "tools", functions: [{ name: "f", param: "tools.0", ...none }], shape },
    ];
    const text = grammarText({ kind: "either", param: "p", sources });
    for (const part of ['\\"s\\"', '{\\"name\\": \\"f\\"']) expect(text).toContain(part);
  });

  it.each<[string, GrammarSource, string, string]>([
    ["the field", { kind: "regex", param: "guided_regex", pattern: "(" }, "guided_regex", "Unterminated"],
    [
      "the function's field",
      {
        kind: "calls",
        param: "tools",
        functions: [
          { name: "f", param: "tools.0", ...none },
          { name: "g", param: "tools.1", parameters: { type: "string" }, strict: true },
        ],
        shape,
      },
      "tools.1",
      "must be an object",
    ],
    [
      "the inner field",
      { kind: "either", param: "tools", sources: [{ kind: "ebnf", param: "grammar", grammar: "root ::= root" }] },
      "grammar",
      "contains itself",
    ],
  ])("names %s in a refusal", (_, source, param, message) => {
    const refusal = { code: "INVALID_REQUEST", param, message: expect.stringContaining(message) };
    expect(() => grammarText(source)).toThrow(expect.objectContaining(refusal));
  });
});
