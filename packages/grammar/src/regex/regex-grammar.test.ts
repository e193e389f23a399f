import { describe, expect, it } from "vitest";
import { allowedOf, randomTexts } from "../testing/random-text.js";
import { regexTextGrammar } from "../text-grammars.js";

/** Texts that are tried against every pattern; JavaScript's own engine says which match. */
const PROBES = [
  "",
  "a",
  "b",
  "c",
  "A",
  "Z",
  "ab",
  "abc",
  "aa",
  "aaa",
  "aaaa",
  "bar",
  "foo",
  "foobar",
  "barbaz",
  "0",
  "7",
  "42",
  "a1",
  "x9",
  " ",
  "\t",
  "\n",
  "_",
  "-",
  "a-b",
  ".",
  "a.b",
  "é",
  "É",
  "日本",
  "🙂",
  "\u00a0",
  "\u2028",
  "\\",
  "]",
  "^",
  "$",
  "a$",
  "{",
  "}",
  "a{2}",
  "(",
  ")",
  "|",
  "a|b",
  "2024-02-29",
  "x y",
  "\v",
  "\f",
  "\r",
  "\ufeff",
  "ß",
  "ı",
  "K",
];

const matchesWhole = (pattern: string, text: string): boolean => {
  try {
    return new RegExp(`^(?:${pattern})$`, "u").test(text);
  } catch {
    return new RegExp(`^(?:${pattern})$`).test(text);
  }
};

describe("a regular expression's grammar", () => {
  it.each([
    "abc",
    "a|b|c",
    "",
    "a?",
    "a*",
    "a+",
    "a{2}",
    "a{2,}",
    "a{1,3}",
    "a{0}",
    "(foo|bar)+",
    "(?:foo|bar)*baz?",
    "(a|)(b|)",
    "[abc]",
    "[a-z0-9_]",
    "[^a-z]",
    "[^]",
    "[\\w-]+",
    "[\\d.]+",
    "[^\\s]+",
    "[\\]^-]",
    "[$^]",
    ".",
    ".*",
    "a.b",
    "\\.",
    "\\\\",
    "\\d+",
    "\\D",
    "\\w+",
    "\\W",
    "\\s",
    "\\S+",
    "\\n|\\t|\\v|\\f|\\r",
    "\\x41",
    "\\u0041",
    "\\u{1F642}",
    "[\\u00e0-\\u00ff]",
    "[🙂-🙃]",
    "\\$|\\^",
    "\\{|\\}",
    "a\\{2\\}",
    "\\{,2}|a{2|a]|[[]\\-",
    "^abc$",
    "^a|b$",
    "(?<year>\\d{4})-(\\d\\d)-(\\d\\d)",
    "[^\\x00-\\x7f]+",
    "a*?b??",
    "\\-",
    "[Kß]",
    "\\cJ",
    "x(y|z{2}){1,2}|\\(\\)",
  ])("of %s allows what JavaScript matches from beginning to end", async (pattern) => {
    const grammar = regexTextGrammar(pattern);
    expect(await allowedOf(grammar, PROBES)).toEqual(PROBES.filter((text) => matchesWhole(pattern, text)));
    for (const text of await randomTexts(grammar, 12)) expect(matchesWhole(pattern, text), text).toBe(true);
  });

  it.each([
    { pattern: "(?=a)a", part: "(?=a)" },
    { pattern: "(?!a)b", part: "(?!a)" },
    { pattern: "(?<=a)b", part: "(?<=a)" },
    { pattern: "(a)\\1", part: "\\1" },
    { pattern: "(?<n>a)\\k<n>", part: "\\k<n>" },
    { pattern: "a\\b", part: "\\b" },
    { pattern: "a\\B", part: "\\B" },
    { pattern: "\\p{L}", part: "\\p{L}" },
    { pattern: "[\\p{Lu}]", part: "\\p{Lu}" },
    { pattern: "a$b", part: "$" },
    { pattern: "(^a)", part: "^" },
    { pattern: "[]", part: "[]" },
    { pattern: "\\Aa", part: "\\A" },
    { pattern: "a\\z", part: "\\z" },
    { pattern: "a\\Z\\-", part: "\\Z" },
    { pattern: "[\\h]+", part: "\\h" },
    { pattern: "\\p{L}\\-", part: "\\p" },
    { pattern: "[[:alpha:]]+", part: "[:alpha:]" },
    { pattern: "[a-z]{,3}", part: "{,3}" },
    { pattern: "a\\\\{,}", part: "{,}" },
    { pattern: "[a-z&&[^aeiou]]{2}", part: "[a-z&&[^aeiou]" },
    { pattern: "x[[a-c][x-z]]", part: "[[a-c]" },
    { pattern: "[^]ab]", part: "[^]" },
  ])("refuses $part in $pattern by name", ({ pattern, part }) => {
    expect(() => regexTextGrammar(pattern)).toThrow(
      expect.objectContaining({
        code: "INVALID_REQUEST",
        message: `has ${part} in a regular expression, which cannot be enforced`,
      }),
    );
  });

  it.each(["(", "a**", "[b-a]", "a{3,1}", "(?<n>a)(?<n>b)"])("refuses the malformed %s", (pattern) => {
    expect(() => regexTextGrammar(pattern)).toThrow(
      expect.objectContaining({
        code: "INVALID_REQUEST",
        message: expect.stringMatching(/^has a malformed regular expression: /),
      }),
    );
  });

  it("writes a long repetition once, however often it comes", () => {
    const chains = (pattern: string) => regexTextGrammar(pattern).split("\n").length;
    expect(chains("([a-z]{1,30}\\.){0,3}[a-z]{1,30}")).toBeLessThan(chains("[a-z]{1,30}") + 8);
  });

  it("refuses repetitions beyond 512 and grammars beyond 256 KiB", () => {
    expect(() => regexTextGrammar("a{513}")).toThrow("repeats a part more than 512 times");
    const words = Array.from({ length: 40_000 }, (_, i) => `${i * 7919}`).join("|");
    expect(() => regexTextGrammar(words)).toThrow("is too large");
  });
});
