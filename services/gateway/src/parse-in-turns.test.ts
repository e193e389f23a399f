import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseInTurns } from "./parse-in-turns.js";
import { turnsDuring } from "./testing/turns-during.js";

/** In pieces of `piece` characters, however short the text is. */
const inPieces = (text: string, piece: number) => parseInTurns(text, { short: 0, piece });

/** What a parser makes of a text; "broken" for what it refuses. */
async function outcome(parse: () => unknown): Promise<unknown> {
  try {
    return { value: await parse() };
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return "broken";
  }
}

const pieces = fc.integer({ min: 1, max: 40 });
const values = fc.jsonValue({ maxDepth: 6, noUnicodeString: false }).filter((value) => !hasForbidden(value));
const hasForbidden = (value: unknown): boolean => /"__proto__"|"constructor"/.test(JSON.stringify(value));

describe("a text in pieces", () => {
  it("is what JSON.parse makes of it", async () => {
    await fc.assert(
      fc.asyncProperty(values, pieces, fc.constantFrom(undefined, 1, "\t"), async (value, piece, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(JSON.stringify(await inPieces(text, piece))).toBe(JSON.stringify(value));
      }),
      { numRuns: 1000 },
    );
  });

  it("has its strings whole, however they are escaped and wherever they are cut", async () => {
    const string = fc
      .array(fc.constantFrom(...'a\\"\n\u0001é日😀,:[]{}'), { maxLength: 60 })
      .map((signs) => signs.join(""));
    const escaped = (text: string) =>
      text.replace(/[é日😀]/gu, (sign) =>
        Array.from({ length: sign.length }, (_, i) => `\\u${sign.charCodeAt(i).toString(16).padStart(4, "0")}`).join(
          "",
        ),
      );
    await fc.assert(
      fc.asyncProperty(string, string, pieces, async (first, second, piece) => {
        for (const value of [first, [first, second], { [first]: second, b: [{ c: second }] }]) {
          const text = JSON.stringify(value);
          for (const each of [text, escaped(text)]) expect(await inPieces(each, piece)).toEqual(value);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("is refused when JSON.parse refuses it", async () => {
    const edit = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      removed: fc.integer({ min: 0, max: 2 }),
      added: fc.constantFrom(...'[]{},:"\\1 ', "", ",,", "[]", "{}", '"a":'),
    });
    await fc.assert(
      fc.asyncProperty(values, pieces, fc.array(edit, { minLength: 1, maxLength: 3 }), async (value, piece, edits) => {
        let text = JSON.stringify(value);
        for (const { at, removed, added } of edits) {
          const place = Math.floor(at * text.length);
          text = text.slice(0, place) + added + text.slice(place + removed);
        }
        expect(await outcome(() => inPieces(text, piece))).toEqual(await outcome(() => JSON.parse(text)));
      }),
      { numRuns: 2500 },
    );
  });

  it.each([
    "",
    " ",
    ",",
    "1,",
    "1,2",
    "[1,2",
    "[1,2]]",
    "[1,2}",
    '{"a":1,"b":2]',
    "[1,,2]",
    "[1,2,]",
    '{"a":1,"b":2,}',
    "[[1,2]3]",
    "[[1,2],]",
    "[1[2,3]]",
    '{"a":[1,2]"b":3}',
    '{"a":[1,2],,"b":3}',
    '{"a":1,[1,2]}',
    '["a,b',
  ])("%j is refused", async (text) => {
    expect(await outcome(() => inPieces(text, 1))).toBe("broken");
  });

  it.each([
    ['{"a":[1,2],"a":3}', { a: 3 }],
    ['{"a":[1,2,3],"a":[4,5]}', { a: [4, 5] }],
    ['{"2":[1,2],"1":{"":[3,4]}}', { 1: { "": [3, 4] }, 2: [1, 2] }],
    ['\ufeff[1,"a,\\\\",[2,3]]', [1, "a,\\", [2, 3]]],
  ])("%j keeps its last keys and its texts", async (text, value) => {
    expect(await inPieces(text, 1)).toEqual(value);
  });

  it.each(['{"a":[1,2],"__proto__":{"b":[3,4]}}', '[1,{"\\u005f_proto__":1},2]'])("%j is refused", async (text) => {
    await expect(inPieces(text, 1)).rejects.toThrow(SyntaxError);
  });
});

it.each(["x", "\n", "é", '"', "\\"])("lets the event loop turn within a long string of %j", async (sign) => {
  const prompt = sign.repeat(14_000_000);
  const text = JSON.stringify({ a: [{ prompt }], b: 1 });
  const { result, turns } = await turnsDuring(() => parseInTurns(text));
  expect(result).toEqual({ a: [{ prompt }], b: 1 });
  expect(turns).toBeGreaterThanOrEqual(1);
});

it("lets the event loop turn while it reads a long text, and reads a short one at once", async () => {
  const ids = Array.from({ length: 1_200_000 }, (_, id) => id % 131_072);
  const { result, turns } = await turnsDuring(() => parseInTurns(JSON.stringify({ prompt: ids })));
  expect(result).toEqual({ prompt: ids });
  expect(turns).toBeGreaterThanOrEqual(3);
  expect((await turnsDuring(() => parseInTurns('{"prompt":[1,2]}'))).turns).toBe(0);
});
