import { describe, expect, it } from "vitest";
import { checkEbnf, MAX_EBNF } from "./check-ebnf.js";

describe("checkEbnf accepts", () => {
  it.each([
    { name: "a text", grammar: 'root ::= "a"' },
    { name: "an empty text", grammar: 'root ::= ""' },
    { name: "rules in any order, with comments", grammar: '# first\nb ::= "b" # second\nroot ::= a b\na ::= "a"' },
    { name: "a rule over several lines", grammar: 'root ::= "a"\n  | "b"\n  | "c"' },
    { name: "names with digits, dashes and dots", grammar: 'root ::= a-1.b\na-1.b ::= "x"' },
    { name: "escapes in texts and classes", grammar: 'root ::= "\\"\\\\\\n" [\\]\\\\a-z] [\\u0041-\\u005a]' },
    { name: "a negative class beyond ASCII", grammar: "root ::= [^äöü]" },
    { name: "every repetition", grammar: 'root ::= "a"* "b"+ "c"? "d"{2} "e"{1,} "f"{,3} "g"{1,3}' },
    { name: "a repeated group with alternatives", grammar: 'root ::= ("a" | "b" ("c" | ))+' },
    { name: "a lookahead", grammar: 'root ::= "a" (= "b") "b"' },
    { name: "recursion with a way out", grammar: 'root ::= "(" root ")" | "x"' },
    { name: "recursion in an optional part", grammar: 'root ::= "x" (root)?' },
    { name: "two rules that need each other and can end", grammar: 'root ::= "a" b | "c"\nb ::= root' },
  ])("$name", ({ grammar }) => {
    expect(() => checkEbnf(grammar)).not.toThrow();
  });
});

describe("checkEbnf refuses", () => {
  const deep = (levels: number) => `root ::= ${"(".repeat(levels)}"a"${")".repeat(levels)}`;

  it.each([
    { name: "no rules", grammar: "", message: "has no rule named root" },
    { name: "no root", grammar: 'start ::= "a"', message: "has no rule named root" },
    { name: "an undefined rule", grammar: 'root ::= "a" | (missing)?', message: "has no rule named missing" },
    {
      name: "a text before ::=",
      grammar: '"a" ::= "b"',
      message: "on line 1: a rule must begin with its name and ::=",
    },
    { name: "a name alone", grammar: "root", message: "a rule must begin with its name and ::=" },
    {
      name: "a rule defined twice",
      grammar: 'root ::= a\na ::= "1"\na ::= "2"',
      message: "has a mistake on line 3: the rule a is defined twice",
    },
    { name: "characters of no token", grammar: 'root ::= "a"\n\n  %', message: "on line 3: this is not EBNF" },
    { name: "an unclosed text", grammar: 'root ::= "a', message: "this is not EBNF" },
    { name: "an unclosed parenthesis", grammar: 'root ::= ("a"', message: "on line 1: a parenthesis is not closed" },
    { name: "a parenthesis too many", grammar: 'root ::= "a")', message: "on line 1: unexpected )" },
    {
      name: "a repetition of nothing",
      grammar: "root ::= *",
      message: "expected a text, a class, a rule or a group, found *",
    },
    {
      name: "a class beyond ASCII",
      grammar: "root ::= [a-zäöü]",
      message: "the class [a-zäöü] has characters outside ASCII; write those as texts",
    },
    { name: "such a class in escapes", grammar: "root ::= [\\u00e4]", message: "has characters outside ASCII" },
    { name: "parentheses 201 deep", grammar: deep(201), message: "parentheses are nested more than 200 deep" },
    { name: "too many characters", grammar: `root ::= "${"a".repeat(MAX_EBNF)}"`, message: "the limit is 262144" },
    {
      name: "a root without end",
      grammar: 'root ::= "a" root',
      message: "cannot be satisfied: it contains itself without end",
    },
    {
      name: "a part without end",
      grammar: 'root ::= "a" | b\nb ::= "b" b',
      message: "cannot be satisfied: a part of it contains itself without end",
    },
    { name: "rules that need each other", grammar: "root ::= a\na ::= root", message: "contains itself without end" },
  ])("$name", ({ grammar, message }) => {
    expect(() => checkEbnf(grammar)).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringContaining(message) }),
    );
  });

  it("but accepts parentheses 200 deep", () => {
    expect(() => checkEbnf(deep(200))).not.toThrow();
  });
});
