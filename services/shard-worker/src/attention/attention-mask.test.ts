import { expect, test } from "vitest";
import { attentionMask } from "./attention-mask.js";

/** One character per column: x where the row sees the position. */
const draw = (mask: Uint16Array, positions: number): readonly string[] =>
  Array.from({ length: mask.length / positions }, (_, row) =>
    Array.from(mask.subarray(row * positions, (row + 1) * positions), (bits) => (bits === 0 ? "x" : ".")).join(""),
  );

test.each([
  ["the first token sees itself", { position: 0, count: 1 }, { start: 0, slidingWindow: 0 }, ["x......."]],
  [
    "a prompt sees a triangle",
    { position: 0, count: 3 },
    { start: 0, slidingWindow: 0 },
    ["x.......", "xx......", "xxx....."],
  ],
  [
    "a chunk sees what was there before",
    { position: 4, count: 2 },
    { start: 0, slidingWindow: 0 },
    ["xxxxx...", "xxxxxx.."],
  ],
  ["window 1 sees itself alone", { position: 2, count: 2 }, { start: 0, slidingWindow: 1 }, ["..x.....", "...x...."]],
  ["window 3 moves with the row", { position: 4, count: 2 }, { start: 0, slidingWindow: 3 }, ["..xxx...", "...xxx.."]],
  [
    "a window as long as the sequence hides nothing",
    { position: 3, count: 1 },
    { start: 0, slidingWindow: 4 },
    ["xxxx...."],
  ],
  [
    "columns start with the first visible page",
    { position: 9, count: 2 },
    { start: 8, slidingWindow: 2 },
    ["xx......", ".xx....."],
  ],
  ["a window that begins with a page", { position: 11, count: 1 }, { start: 8, slidingWindow: 4 }, ["xxxx...."]],
])("%s", (_, span, shape, expected) => {
  expect(draw(attentionMask(span, { ...shape, positions: 8 }), 8)).toEqual(expected);
});

test("the docstring's example: positions 70 and 71, window 16, from page 1 of 32 on", () => {
  const mask = attentionMask({ position: 70, count: 2 }, { start: 32, positions: 64, slidingWindow: 16 });
  const seen = [mask.subarray(0, 64), mask.subarray(64)].map((row) => [row.indexOf(0), row.lastIndexOf(0)]);
  expect(seen).toEqual([
    [23, 38],
    [24, 39],
  ]);
});

test("what a row does not see is minus infinity, in f16", () => {
  const mask = attentionMask({ position: 0, count: 1 }, { start: 0, positions: 2, slidingWindow: 0 });
  expect([...mask]).toEqual([0, 0xfc00]);
});
