import { describe, expect, it } from "vitest";
import { judgeOf } from "../testing/judge.js";
import { diceOf } from "../testing/random-schema.js";
import { allowedOf, randomTexts } from "../testing/random-text.js";
import { jsonSchemaGrammar } from "./json-schema-grammar.js";
import { FORMATS } from "./string-grammar.js";

const quoted = (texts: readonly string[]) => texts.map((text) => JSON.stringify(text));

describe("a format", () => {
  it.each(Object.keys(FORMATS))("%s has only texts that Ajv accepts", async (format) => {
    const judge = judgeOf({ type: "string", format });
    const written = await randomTexts(jsonSchemaGrammar({ type: "string", format }), 40);
    for (const text of written) expect(judge(text)).toBeNull();
    expect(new Set(written).size).toBeGreaterThan(5);
  });

  it.each([
    { format: "date", good: ["2024-02-28", "1999-12-31"], bad: ["2024-02-30", "2024-13-01", "2024-04-31", "24-01-01"] },
    { format: "time", good: ["23:59:59Z", "00:00:00.123+02:00"], bad: ["24:00:00Z", "12:60:00Z", "12:00:00"] },
    { format: "date-time", good: ["2024-02-28T12:00:00Z"], bad: ["2024-02-28 12:00:00Z", "2024-02-28"] },
    { format: "duration", good: ["P3D", "PT36H", "P1DT12H"], bad: ["3D", "P", "PT"] },
    { format: "email", good: ["a.b@example.org"], bad: ["a@b", "@example.org", "a b@example.org"] },
    { format: "hostname", good: ["localhost", "a-1.example.org"], bad: ["-a.org", "a..b", "a_b"] },
    { format: "ipv4", good: ["0.0.0.0", "255.255.255.255"], bad: ["256.0.0.1", "1.2.3", "01.2.3.4"] },
    { format: "ipv6", good: ["2001:db8:0:0:0:0:0:1"], bad: ["2001:db8", "g:0:0:0:0:0:0:0"] },
    { format: "uuid", good: ["123e4567-e89b-12d3-a456-426614174000"], bad: ["123e4567e89b12d3a456426614174000"] },
    { format: "uri", good: ["https://example.org/a/b", "http://localhost"], bad: ["example.org", "ftp://example.org"] },
  ])("$format takes $good and not $bad", async ({ format, good, bad }) => {
    expect(await allowedOf(jsonSchemaGrammar({ type: "string", format }), quoted([...good, ...bad]))).toEqual(
      quoted(good),
    );
  });
});

describe("a string's length", () => {
  it.each([
    { schema: {}, allowed: ["", "a", "a longer text"], refused: [] },
    { schema: { minLength: 2 }, allowed: ["ab", "日本", "🙂🙂"], refused: ["", "a", "🙂"] },
    { schema: { maxLength: 2 }, allowed: ["", "é", "🙂🙂"], refused: ["abc", "🙂🙂🙂"] },
    { schema: { minLength: 1, maxLength: 1 }, allowed: ["a", "\n", '"', "🙂"], refused: ["", "ab"] },
    { schema: { minLength: 0, maxLength: 0 }, allowed: [""], refused: ["a"] },
  ])("counts code points: $schema", async ({ schema, allowed, refused }) => {
    const grammar = jsonSchemaGrammar({ type: "string", ...schema });
    expect(await allowedOf(grammar, quoted([...allowed, ...refused]))).toEqual(quoted(allowed));
  });

  it("leaves out control characters without a short escape, and surrogates", async () => {
    const grammar = jsonSchemaGrammar({ type: "string" });
    expect(await allowedOf(grammar, ['"\\u0000"', '"\\u001f"', '"\x7f"', '"\\ud83d\\ude42"', '"\n"', '"a'])).toEqual(
      [],
    );
  });
});

describe("a pattern", () => {
  it.each([
    { pattern: "^[A-Z]{2}\\d+$", allowed: ["AB1", "ZZ999"], refused: ["A1", "AB", "xAB1"] },
    { pattern: "a|b", allowed: ["a", "b", "ab", "xa", "ccbcc"], refused: ["", "xyz"] },
    { pattern: "^a", allowed: ["a", "ab", "aaa"], refused: ["", "ba"] },
    { pattern: "a$", allowed: ["a", "ba", "aa"], refused: ["", "ab"] },
    { pattern: "^a|b$", allowed: ["a", "ax", "b", "xb"], refused: ["xa", "bx"] },
    { pattern: "\\d{3}", allowed: ["123", "a1234", "12a123"], refused: ["12", "12a12"] },
    { pattern: "aab", allowed: ["aab", "aaab", "xaabx"], refused: ["aa", "abab"] },
    { pattern: "(foo|o+b)ar", allowed: ["foobar", "foofooar", "xobar!"], refused: ["fooba", "far"] },
    { pattern: "x*", allowed: ["", "x", "abc"], refused: [] },
    { pattern: "^(a|)", allowed: ["", "b"], refused: [] },
    { pattern: "^$", allowed: [""], refused: ["a"] },
    { pattern: '"|\\\\', allowed: ['"', "\\", 'a"'], refused: ["x"] },
    { pattern: "[^a]", allowed: ["\n", '"', "é", "ab"], refused: ["a", ""] },
    { pattern: "日+", allowed: ["日", "a日日b"], refused: ["月"] },
  ])("$pattern matches anywhere, unless it says where", async ({ pattern, allowed, refused }) => {
    const schema = { type: "string", pattern };
    const grammar = jsonSchemaGrammar(schema);
    expect(await allowedOf(grammar, quoted([...allowed, ...refused]))).toEqual(quoted(allowed));
    const judge = judgeOf(schema);
    const dice = diceOf(17);
    const letters = [...new Set("x13.".concat(pattern.replaceAll(/\W|d/g, ""), ...allowed))];
    const random = Array.from({ length: 60 }, () =>
      Array.from({ length: dice(8) }, () => letters[dice(letters.length)]),
    );
    const texts = quoted([...allowed, ...refused, ...random.map((each) => each.join(""))]);
    expect(await allowedOf(grammar, texts)).toEqual(texts.filter((text) => judge(text) === null));
  });
});

it.each(["password", "toString", 3])(
  "the format %j restricts nothing, since JSON Schema has none of that name",
  async (format) => {
    const schema = { type: "string", format, maxLength: 3 };
    expect(await allowedOf(jsonSchemaGrammar(schema), ['"abc"', '"abcd"'])).toEqual(['"abc"']);
  },
);

it("a format of other alphabets is written in ASCII", () => {
  const grammarOf = (format: string) => jsonSchemaGrammar({ type: "string", format });
  expect(grammarOf("iri-reference")).toBe(grammarOf("uri"));
});

describe("string schemas that are refused", () => {
  it.each([
    { schema: { minLength: 3, maxLength: 2 }, message: "cannot be satisfied: # has minLength 3 above maxLength 2" },
    { schema: { minLength: -1 }, message: "# has a minLength that is not a whole number" },
    { schema: { maxLength: 1.5 }, message: "# has a maxLength that is not a whole number" },
    { schema: { maxLength: 513 }, message: "repeats a part more than 512 times" },
    { schema: { pattern: 3 }, message: "# has a pattern that is not a string" },
    { schema: { pattern: "a", minLength: 1 }, message: "# has the keyword minLength, which cannot be enforced here" },
    { schema: { format: "date", maxLength: 9 }, message: "# has the keyword maxLength, which cannot be enforced here" },
    { schema: { format: "regex" }, message: "# has the format regex, which cannot be enforced" },
    { schema: { format: "json-pointer" }, message: "# has the format json-pointer, which cannot be enforced" },
  ])("$schema", ({ schema, message }) => {
    expect(() => jsonSchemaGrammar({ type: "string", ...schema })).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", message: expect.stringContaining(message) }),
    );
  });
});
