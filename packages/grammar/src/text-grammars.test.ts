import { describe, expect, it } from "vitest";
import { checkEbnf } from "./ebnf/check-ebnf.js";
import { allowedOf, randomTexts } from "./testing/random-text.js";
import { anyOfGrammars, behindSpace, choiceGrammar, FREE_TEXT, regexTextGrammar } from "./text-grammars.js";

describe("choiceGrammar", () => {
  it.each([
    { name: "single words", choices: ["yes", "no"] },
    { name: "choices that begin alike", choices: ["a", "ab", "abc", "b"] },
    { name: "the empty text beside others", choices: ["", "x"] },
    { name: "quotes, line ends and wide characters", choices: ['say "x"', "a\nb", "日本\\", "🙂"] },
    { name: "a choice given twice", choices: ["a", "a", "b"] },
  ])("allows $name and nothing else", async ({ choices }) => {
    const others = [...choices.flatMap((text) => [`${text} `, text.slice(1), text.slice(0, -1), text + text]), "other"];
    const wrong = others.filter((text) => !choices.includes(text));
    const wanted = [...new Set(choices)];
    expect(await allowedOf(choiceGrammar(choices), [...wanted, ...wrong])).toEqual(wanted);
  });

  it("refuses no choices, and more text than a grammar may have", () => {
    expect(() => choiceGrammar([])).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: "has no choices" }),
    );
    const long = Array.from({ length: 8000 }, (_, i) => String(Math.sin(i)).repeat(3));
    expect(() => choiceGrammar(long)).toThrow("is too large: its grammar has more than 262144 characters");
  });
});

describe("anyOfGrammars", () => {
  it("allows the texts of each, though their rules have the same names", async () => {
    const first = 'root ::= a\na ::= "1" | "root a"';
    const second = 'root ::= a "!" # a comment about root\na ::= [a-c] | "\\"a\\""';
    const either = anyOfGrammars([first, second]);
    checkEbnf(either);
    const texts = ["1", "root a", "a!", "c!", '"a"!', "a", "!", "g0_root a", "1!"];
    expect(await allowedOf(either, texts)).toEqual(["1", "root a", "a!", "c!", '"a"!']);
  });

  it("nests", async () => {
    const inner = anyOfGrammars([choiceGrammar(["a"]), choiceGrammar(["b"])]);
    const outer = anyOfGrammars([inner, regexTextGrammar("\\d+")]);
    expect(await allowedOf(outer, ["a", "b", "42", "ab", ""])).toEqual(["a", "b", "42"]);
  });
});

describe("behindSpace", () => {
  it("allows one space and then the grammar's texts", async () => {
    const grammar = behindSpace(choiceGrammar(["a", "b c"]));
    expect(await allowedOf(grammar, [" a", " b c", "a", "  a", " a "])).toEqual([" a", " b c"]);
  });
});

describe("FREE_TEXT", () => {
  it("is a grammar of everything that does not begin as JSON objects and lists do", async () => {
    checkEbnf(FREE_TEXT);
    const free = ["", "Hello", "1 [2]", '"quoted" {', "日本\n{}", "null"];
    expect(await allowedOf(FREE_TEXT, [...free, "{", "[1]", " {}", "\n[", "\tx"])).toEqual(free);
  });
});

describe("regexTextGrammar", () => {
  it("writes texts that end by themselves", async () => {
    for (const text of await randomTexts(regexTextGrammar("([a-z]{1,3} )*[a-z]+\\."), 20)) expect(text).toMatch(/\.$/);
  });
});
