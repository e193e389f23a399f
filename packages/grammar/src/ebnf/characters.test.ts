import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowedOf } from "../testing/random-text.js";
import { characters, utf8Sequences } from "./characters.js";
import { type CodePoints, complement, contains, union } from "./code-points.js";
import { RuleBook } from "./rule-book.js";

const utf8 = (code: number) => [...Buffer.from(String.fromCodePoint(code))];

describe("utf8Sequences", () => {
  it.each<{ name: string; set: CodePoints; expected: unknown }>([
    {
      name: "one character",
      set: [[0xe9, 0xe9]],
      expected: [
        [
          [0xc3, 0xc3],
          [0xa9, 0xa9],
        ],
      ],
    },
    {
      name: "all of two bytes",
      set: [[0x80, 0x7ff]],
      expected: [
        [
          [0xc2, 0xdf],
          [0x80, 0xbf],
        ],
      ],
    },
    {
      name: "a range across first bytes",
      set: [[0xbf, 0xc1]],
      expected: [
        [
          [0xc2, 0xc2],
          [0xbf, 0xbf],
        ],
        [
          [0xc3, 0xc3],
          [0x80, 0x81],
        ],
      ],
    },
  ])("of $name", ({ set, expected }) => {
    expect(utf8Sequences(set)).toEqual(expected);
  });

  it("match exactly the encodings of the set", () => {
    const edge = fc.constantFrom(0x80, 0xff, 0x7ff, 0x800, 0xfff, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff, 0x10ffff);
    const value = fc.oneof(edge, fc.integer({ min: 0x80, max: 0x10ffff }));
    fc.assert(
      fc.property(value, value, fc.array(value), (a, b, others) => {
        const set = union([[Math.min(a, b), Math.max(a, b)]]);
        const sequences = utf8Sequences(set);
        const matches = (code: number) => {
          const bytes = utf8(code);
          return sequences.some(
            (ranges) =>
              ranges.length === bytes.length &&
              ranges.every(([first, last], i) => (bytes[i] ?? 0) >= first && (bytes[i] ?? 0) <= last),
          );
        };
        const probes = [a, b, a - 1, a + 1, b - 1, b + 1, ...others].filter((code) => contains(complement([]), code));
        for (const code of probes) if (code >= 0x80) expect(matches(code)).toBe(contains(set, code));
      }),
    );
  });
});

describe("characters", () => {
  const grammarOf = (set: CodePoints, writing: "plain" | "json") => {
    const book = new RuleBook(100_000);
    return book.text(book.rule(characters({ book, writing }, set, '"."')));
  };

  it.each<{ name: string; set: CodePoints; allowed: string[]; refused: string[] }>([
    { name: "ASCII", set: [[0x61, 0x63]], allowed: ["a.", "c."], refused: ["d.", "a", ".", "ab."] },
    {
      name: "wide characters",
      set: [
        [0xe9, 0xeb],
        [0x65e5, 0x65e5],
        [0x1f600, 0x1f64f],
      ],
      allowed: ["é.", "日.", "🙂."],
      refused: ["e.", "í.", "月.", "🤖."],
    },
    { name: "one byte alone", set: [[0x7f, 0x7f]], allowed: ["\x7f."], refused: ["~."] },
  ])("as they are: $name", async ({ set, allowed, refused }) => {
    expect(await allowedOf(grammarOf(set, "plain"), [...allowed, ...refused])).toEqual(allowed);
  });

  it.each<{ name: string; set: CodePoints; allowed: string[]; refused: string[] }>([
    { name: "a quote", set: [[0x22, 0x22]], allowed: ['\\".'], refused: ['".', "\\u0022."] },
    { name: "a backslash", set: [[0x5c, 0x5c]], allowed: ["\\\\."], refused: ["\\."] },
    {
      name: "control characters",
      set: [[0x07, 0x0d]],
      allowed: ["\\b.", "\\t.", "\\n.", "\\f.", "\\r.", "\\u0007.", "\\u000b."],
      refused: ["\n.", "\\a.", "\\u000e."],
    },
    {
      name: "letters, never as escapes",
      set: [
        [0x61, 0x61],
        [0xe9, 0xe9],
      ],
      allowed: ["a.", "é."],
      refused: ["\\u0061.", "\\u00e9."],
    },
  ])("in a JSON string: $name", async ({ set, allowed, refused }) => {
    expect(await allowedOf(grammarOf(set, "json"), [...allowed, ...refused])).toEqual(allowed);
    for (const text of allowed) {
      const character = JSON.parse(`"${text.slice(0, -1)}"`);
      expect(contains(set, character.codePointAt(0))).toBe(true);
    }
  });
});
