import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TextWindows } from "./text-windows.js";

const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);

interface Scored {
  readonly piece: string;
  readonly score: number;
}

/** SentencePiece as libllama has it, in its simplest form: the best score first, then from the left. */
class Merges {
  readonly pieces: readonly string[];
  /** UTF-16 units that were tokenized. */
  read = 0;
  readonly #scores: ReadonlyMap<string, number>;
  readonly #prefix: string;

  constructor(scored: readonly Scored[], { prefix = "" } = {}) {
    this.pieces = [...BYTES, ...scored.map(({ piece }) => piece), "▁"];
    this.#scores = new Map(scored.map(({ piece, score }) => [piece, score]));
    this.#prefix = prefix;
  }

  tokenize(text: string): Int32Array {
    this.read += text.length;
    const symbols = [...`${this.#prefix}${text}`];
    for (;;) {
      const scores = symbols.map((symbol, i) => this.#scores.get(symbol + (symbols[i + 1] ?? " ")) ?? -Infinity);
      const best = scores.reduce((most, score) => Math.max(most, score), -Infinity);
      if (best === -Infinity) break;
      const at = scores.indexOf(best);
      symbols.splice(at, 2, `${symbols[at]}${symbols[at + 1]}`);
    }
    return Int32Array.from(symbols.flatMap((symbol) => this.#idsOf(symbol)));
  }

  #idsOf(symbol: string): readonly number[] {
    const id = this.pieces.indexOf(symbol);
    return id === -1 ? [...Buffer.from(symbol)] : [id];
  }
}

const inWindows = (merges: Merges, length: number, text: string): readonly number[] => {
  const windows = new TextWindows(merges.pieces, (part) => merges.tokenize(part), length);
  merges.read = 0;
  return windows.ids(text).flatMap((ids) => [...ids]);
};

/** Few letters, so that pieces overlap in every way; equal scores, an emoji, and a letter that is in no piece. */
const letters = fc.string({ unit: fc.constantFrom("a", "b", "c", "🙂", "é", "z"), minLength: 1, maxLength: 90 });
const vocabulary = fc.uniqueArray(
  fc.record({
    piece: fc.string({ unit: fc.constantFrom("a", "b", "c", "🙂", "é", "▁"), minLength: 2, maxLength: 12 }),
    score: fc.integer({ min: -4, max: 4 }),
  }),
  { selector: ({ piece }) => piece, maxLength: 24 },
);

describe("TextWindows", () => {
  it.each([1, 2, 5, 16])("gives the ids of the whole text, in windows of %i, whatever the vocabulary", (length) => {
    fc.assert(
      fc.property(vocabulary, letters, fc.constantFrom("", "▁"), (scored, text, prefix) => {
        const merges = new Merges(scored, { prefix });
        expect(inWindows(merges, length, text)).toEqual([...merges.tokenize(text)]);
      }),
      { numRuns: 300 },
    );
  });

  it("reads each letter of a run about once", () => {
    const merges = new Merges(["aa", "aaaa", "ab", "ba", "bb"].map((piece, score) => ({ piece, score })));
    const text = Array.from({ length: 3000 }, (_, i) => ((i * i) % 7 < 3 ? "a" : "b")).join("");
    const ids = inWindows(merges, 500, text);
    expect(merges.read).toBeLessThan(1.25 * text.length);
    expect(ids).toEqual([...merges.tokenize(text)]);
  });

  it("reads further where each join depends on the one behind it, and no further than it must", () => {
    // Whether a character joins the next is decided 150 characters later.
    const character = (i: number) => String.fromCodePoint(0x4e00 + i);
    const chain = Array.from({ length: 150 }, (_, i) => character(i));
    const scored = chain.map((piece, score) => ({ piece: `${piece}${character(score + 1)}`, score }));
    const merges = new Merges(scored);
    const text = `z${chain.join("")}${chain.slice(0, -1).join("")}`.repeat(8);
    const ids = inWindows(merges, 200, text);
    expect(merges.read).toBeGreaterThan(1.35 * text.length); // 64 beyond the cut of 200 are too few
    expect(merges.read).toBeLessThan(4 * text.length);
    expect(ids).toEqual([...merges.tokenize(text)]);
  });

  it("leaves a text to libllama whose pieces are not written as they are named", () => {
    const merges = new Merges([{ piece: "ab", score: 1 }]);
    const pieces = merges.pieces.map((piece) => (piece === "ab" ? "a" : piece));
    const windows = new TextWindows(pieces, (part) => merges.tokenize(part), 4);
    const text = "ab".repeat(40);
    expect(windows.ids(text)).toEqual([merges.tokenize(text)]);
  });
});
