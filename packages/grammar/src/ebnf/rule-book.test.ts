import { describe, expect, it } from "vitest";
import { allowedOf } from "../testing/random-text.js";
import { leftFactor } from "./left-factor.js";
import { repeat } from "./repeat.js";
import { literal, RuleBook } from "./rule-book.js";

describe("literal", () => {
  it.each([
    { text: "abc", expected: '"abc"' },
    { text: "", expected: '""' },
    { text: 'say "x"', expected: '"say \\"x\\""' },
    { text: "a\\b", expected: '"a\\\\b"' },
    { text: "\n\t\x00\x7f", expected: '"\\u000a\\u0009\\u0000\\u007f"' },
    { text: "é日🙂", expected: '"é日🙂"' },
    { text: "half \ud800 pair", expected: '"half \ufffd pair"' },
  ])("of $text is $expected", ({ text, expected }) => {
    expect(literal(text)).toBe(expected);
  });

  it.each(['a"b\\c', "line\nbreak\tfab\x7f0", "é日🙂", " ", "[a-z]*|(x)", "#no comment"])(
    "matches %j alone",
    async (text) => {
      const grammar = `root ::= ${literal(text)}`;
      expect(await allowedOf(grammar, [text, `${text} `, text.slice(1), ""])).toEqual([text]);
    },
  );
});

describe("RuleBook", () => {
  it("gives equal bodies one rule, and a rule's name stays itself", () => {
    const book = new RuleBook(1000);
    const first = book.rule(['"a"', '"b"']);
    expect(book.rule(['"a"', '"b"'])).toBe(first);
    expect(book.rule([first])).toBe(first);
    expect(book.rule(['"a"', '"c"'])).not.toBe(first);
  });

  it("repeats short single alternatives in place and names the others", () => {
    const book = new RuleBook(1000);
    expect(book.reference(['"a" [b]'])).toBe('"a" [b]');
    expect(book.reference(['"a"', '"b"'])).toBe("r0");
    expect(book.reference([`"${"a".repeat(60)}"`])).toBe("r1");
  });

  it("writes rules that contain themselves", async () => {
    const book = new RuleBook(1000);
    const list = book.reserve();
    book.define(list, ['""', `"x" ${list}`]);
    expect(await allowedOf(book.text(list), ["", "x", "xxx", "y"])).toEqual(["", "x", "xxx"]);
  });

  it("refuses to grow beyond its limit, with the number", () => {
    const book = new RuleBook(100);
    expect(() => {
      for (let i = 0; i < 100; i++) book.rule([`"${i}" [a]`, '"x"']);
    }).toThrow("is too large: its grammar has more than 100 characters");
  });
});

describe("leftFactor", () => {
  const factor = (alternatives: readonly string[]) => leftFactor(alternatives, (rests) => `(${rests.join(" | ")})`);

  it.each([
    { name: "leaves what begins differently", given: ['"a" x', '"b" x'], expected: ['"a" x', '"b" x'] },
    { name: "takes out a shared letter", given: ['"ab"', '"ac"'], expected: ['"a" ("b" | "c")'] },
    { name: "takes out a shared class", given: ["[0-9]", "[0-9] [a]"], expected: ['[0-9] ("" | [a])'] },
    { name: "merges alternatives that are the same", given: ['"a"', '"a"'], expected: ['"a"'] },
    { name: "reads an escape as one letter", given: ['"\\u000aa"', '"\\u000ab"'], expected: ['"\\u000a" ("a" | "b")'] },
    { name: "keeps a repetition with its element", given: ['"a"* "b"', '"a"* "c"'], expected: ['"a"* ("b" | "c")'] },
    { name: "guards a rule's name among others", given: ["r1 x", '"a"'], expected: ["nothing r1 x", '"a"'] },
    { name: "needs no guard for one name alone", given: ["r1 x", "r1 y"], expected: ["r1 (nothing x | nothing y)"] },
    { name: "takes out all that is shared", given: ['"abc" [0]', '"abd"'], expected: ['"ab" ("c" [0] | "d")'] },
    { name: "reads an empty alternative", given: ["", '"a"'], expected: ['""', '"a"'] },
  ])("$name", ({ given, expected }) => {
    expect(factor(given)).toEqual(expected);
  });

  it("keeps the engine from taking two numbers of digits for any number of them", async () => {
    const book = new RuleBook(1000);
    const grammar = book.text(book.rule(['"-" [1-9] [0-9]', '"-" [1-9] [0-9] [0-9]']));
    expect(await allowedOf(grammar, ["-1", "-12", "-123", "-1234", "-12345"])).toEqual(["-12", "-123"]);
  });
});

describe("repeat", () => {
  const element = (then: string) => [`"a" ${then}`, `"bc" ${then}`];
  const grammarOf = (min: number, max: number | undefined) => {
    const book = new RuleBook(100_000);
    return book.text(book.rule(repeat(book, { min, max, element }, '"."')));
  };

  it.each([
    { min: 0, max: 0, allowed: [0] },
    { min: 0, max: 2, allowed: [0, 1, 2] },
    { min: 2, max: 3, allowed: [2, 3] },
    { min: 1, max: undefined, allowed: [1, 2, 3, 4, 5] },
    { min: 3, max: 3, allowed: [3] },
  ])("allows $min to $max elements", async ({ min, max, allowed }) => {
    const texts = Array.from({ length: 6 }, (_, count) => `${"bc".repeat(count)}.`);
    expect(await allowedOf(grammarOf(min, max), texts)).toEqual(allowed.map((count) => texts[count]));
  });

  it.each([
    { min: 0, max: 33 },
    { min: 0, max: 48 },
    { min: 1, max: 100 },
    { min: 33, max: 40 },
    { min: 34, max: undefined },
    { min: 64, max: 64 },
  ])("counts $min to $max elements in blocks", async ({ min, max }) => {
    const counts = [min - 1, min, min + 1, 48, 80, 99, 100, 101].concat(
      max === undefined ? [] : [max - 1, max, max + 1],
    );
    const allowed = (count: number) => count >= min && count <= (max ?? count);
    const textsOf = (some: readonly number[]) =>
      some.filter((count) => count >= 0).map((count) => `${"a".repeat(count)}.`);
    expect(await allowedOf(grammarOf(min, max), textsOf(counts))).toEqual(textsOf(counts.filter(allowed)));
  });

  it("takes no more rules for 512 elements than 31 and one for each block of 16", () => {
    const rules = (max: number) => grammarOf(0, max).split("\n").length;
    expect(rules(512) - rules(256)).toBe(256 / 16);
    expect(rules(256)).toBeLessThan(60);
  });

  it("allows 512 elements and refuses 513", async () => {
    const most = grammarOf(512, 512);
    expect(await allowedOf(most, [`${"a".repeat(512)}.`, `${"a".repeat(511)}.`])).toEqual([`${"a".repeat(512)}.`]);
    expect(() => grammarOf(0, 513)).toThrow("repeats a part more than 512 times");
    expect(() => grammarOf(513, undefined)).toThrow("repeats a part more than 512 times");
  });
});
