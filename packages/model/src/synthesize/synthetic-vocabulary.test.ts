import { expect, test } from "vitest";
import { syntheticVocabulary } from "./synthetic-vocabulary.js";

function piecesOf(size: number): readonly string[] {
  const tokens = syntheticVocabulary(size).get("tokenizer.ggml.tokens");
  if (tokens?.type !== "array" || tokens.of !== "string") throw new Error("no tokens");
  return tokens.value;
}

test.each([3, 259, 300, 5000])("a vocabulary of %d has as many pieces, no two alike", (size) => {
  expect(piecesOf(size)).toHaveLength(size);
  expect(new Set(piecesOf(size)).size).toBe(size);
});

test("a greater vocabulary begins with the smaller", () => {
  expect(piecesOf(2000).slice(0, 700)).toEqual(piecesOf(700));
});

test("every byte and every printable ASCII character is a piece", () => {
  const pieces = new Set(piecesOf(512));
  for (let byte = 0; byte < 256; byte++) {
    expect(pieces.has(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`)).toBe(true);
  }
  for (let code = 33; code < 127; code++) expect(pieces.has(String.fromCharCode(code))).toBe(true);
});

test("shorter words come before longer ones, in alphabetical order", () => {
  const words = piecesOf(3000)
    .slice(259 + 95)
    .map((piece) => piece.replace("▁", ""));
  const sorted = words.toSorted((a, b) => a.length - b.length || (a < b ? -1 : Number(a > b)));
  expect(words).toEqual(sorted);
});

test("scores fall with the id, so that earlier pieces are merged first", () => {
  const scores = syntheticVocabulary(400).get("tokenizer.ggml.scores");
  if (!(scores?.value instanceof Float32Array)) throw new Error("no scores");
  const values = [...scores.value].slice(259);
  expect(values).toEqual(values.toSorted((a, b) => b - a));
  expect(new Set(values).size).toBe(values.length);
});
