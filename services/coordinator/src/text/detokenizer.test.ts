import { describe, expect, it } from "vitest";
import { Detokenizer, incompleteTail } from "./detokenizer.js";
import { PieceTable } from "./piece-table.js";

const bytesOf = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const PIECES = [
  Buffer.from(" Hello"),
  bytesOf(0xf0),
  bytesOf(0x9f),
  bytesOf(0x98),
  bytesOf(0x80),
  Buffer.from("é"),
  bytesOf(0xff),
];

function detokenize(tokens: readonly number[]): readonly string[] {
  const pieces = new PieceTable({
    pieceBytes: (token, { special }) =>
      token === 99 ? Buffer.from(special ? "</s>" : "") : (PIECES[token] ?? bytesOf()),
  });
  const detokenizer = new Detokenizer(pieces, { special: false });
  return [...tokens.map((token) => detokenizer.push(token)), detokenizer.flush()];
}

describe("Detokenizer", () => {
  it("keeps the spaces that tokens carry", () => {
    expect(detokenize([0, 0])).toEqual([" Hello", " Hello", ""]);
  });

  it("shows a character that byte tokens spell only when it is whole", () => {
    expect(detokenize([0, 1, 2, 3, 4, 5])).toEqual([" Hello", "", "", "", "😀", "é", ""]);
  });

  it("gives U+FFFD for a character that the end cut off", () => {
    expect(detokenize([0, 1, 2])).toEqual([" Hello", "", "", "\ufffd"]);
  });

  it("gives U+FFFD for bytes that are no text, and goes on", () => {
    expect(detokenize([6, 0]).join("")).toBe("\ufffd Hello");
    expect(detokenize([1, 2, 0]).join("")).toBe("\ufffd Hello");
  });

  it("leaves control tokens out", () => {
    expect(detokenize([0, 99])).toEqual([" Hello", "", ""]);
  });
});

describe("incompleteTail", () => {
  it.each([
    [[0x41], 0],
    [[0xc3], 1],
    [[0xc3, 0xa9], 0],
    [[0xf0, 0x9f, 0x98], 3],
    [[0xf0, 0x9f, 0x98, 0x80], 0],
    [[0x41, 0xe2, 0x82], 2],
    [[0x80, 0x80, 0x80, 0x80], 0],
    [[0xff], 0],
  ])("of %j is %i", (bytes, expected) => {
    expect(incompleteTail(Uint8Array.from(bytes))).toBe(expected);
  });
});
