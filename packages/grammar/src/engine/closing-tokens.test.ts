import { describe, expect, it } from "vitest";
import { addToken, ClosingTokens, isFilled, JsonDepth } from "./closing-tokens.js";

describe("JsonDepth", () => {
  it.each([
    { text: "", depth: 0, isInString: false },
    { text: "[1, [2, {", depth: 3, isInString: false },
    { text: '{"a": [1, 2], "b": {}}', depth: 0, isInString: false },
    { text: '["[[{', depth: 1, isInString: true },
    { text: '["a\\"b]', depth: 1, isInString: true },
    { text: '["a\\\\"', depth: 1, isInString: false },
    { text: '["a\\', depth: 1, isInString: true },
    { text: "]]}", depth: 0, isInString: false },
    { text: '"日本', depth: 0, isInString: true },
  ])("of $text is $depth", ({ text, depth, isInString }) => {
    const bytes = new TextEncoder().encode(text);
    const [whole, piecewise] = [new JsonDepth(), new JsonDepth()];
    whole.add(bytes);
    for (const byte of bytes) piecewise.add(Uint8Array.of(byte));
    expect([whole.depth, whole.isInString]).toEqual([depth, isInString]);
    expect([piecewise.depth, piecewise.isInString]).toEqual([depth, isInString]);
  });
});

describe("ClosingTokens.among", () => {
  const PIECES = ["", "]", "}", ",", '"', "a", "{", "[", " x", "\\n", "]]", "1"];
  const closing = new ClosingTokens({
    size: PIECES.length,
    pieces: PIECES.map((piece) => new TextEncoder().encode(piece)),
    endTokens: [0],
  });
  const setOf = (pieces: readonly string[]) => {
    const set = new Int32Array(1);
    for (const piece of pieces) addToken(set, PIECES.indexOf(piece));
    return set;
  };
  const piecesOf = (set: Int32Array) => PIECES.filter((_, token) => (((set[0] ?? 0) >>> token) & 1) === 1);

  it.each([
    { name: "the end before all", allowed: ["", "]", "a"], isInString: false, chosen: [""] },
    { name: "a closing bracket before a brace", allowed: ["]", "}", ",", "a"], isInString: false, chosen: ["]"] },
    { name: "a brace before a comma", allowed: ["}", ",", '"', "a"], isInString: false, chosen: ["}"] },
    { name: "a comma before a quote", allowed: [",", '"', "a"], isInString: false, chosen: [","] },
    {
      name: "the quote inside a string, whatever else closes",
      allowed: ["]", "}", '"', "a"],
      isInString: true,
      chosen: ['"'],
    },
    {
      name: "all that does not lead away",
      allowed: ["a", "1", "{", "[", " x", "\\n"],
      isInString: false,
      chosen: ["a", "1"],
    },
    {
      name: "what leads away, when nothing else is allowed",
      allowed: ["{", "["],
      isInString: false,
      chosen: ["{", "["],
    },
    { name: "no piece that only begins by closing", allowed: ["]]", "a"], isInString: false, chosen: ["a", "]]"] },
    { name: "nothing of nothing", allowed: [], isInString: false, chosen: [] },
  ])("chooses $name", ({ allowed, isInString, chosen }) => {
    const set = setOf(allowed);
    expect(piecesOf(closing.among(set, { isInString }))).toEqual(chosen);
    expect(piecesOf(set)).toEqual(PIECES.filter((piece) => allowed.includes(piece)));
  });
});

it("addToken sets a bit in the right word", () => {
  const set = new Int32Array(3);
  expect(isFilled(set)).toBe(false);
  for (const token of [0, 31, 32, 95]) addToken(set, token);
  expect(isFilled(set)).toBe(true);
  expect([...set].map((word) => (word >>> 0).toString(16))).toEqual(["80000001", "1", "80000000"]);
});
