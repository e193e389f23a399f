import { describe, expect, it, test } from "vitest";
import { PageTable } from "../kv-cache/pages.js";
import type { AttentionSpan } from "./attention.js";
import { attentionMask, groupForAttention } from "./attention-groups.js";

interface TestSpan extends AttentionSpan {
  readonly sequence: number;
}

const span = (sequence: number, position: number, count = 1): TestSpan => ({
  sequence,
  position,
  count,
  firstPage: 0,
  table: new PageTable(32),
});

const OPTIONS = { pageSize: 32, slidingWindow: 0, pageBytes: 1 };

const grouped = (spans: readonly TestSpan[], options = {}) =>
  groupForAttention(spans, { ...OPTIONS, ...options }).map(({ members, count, pages }) => ({
    sequences: members.map(({ span: { sequence } }) => sequence),
    count,
    pages,
  }));

describe("the pages that a span sees", () => {
  test.each([
    // position, rows, window -> entries [first, last) of its page table, pages of 32
    [0, 1, 0, [0, 1]],
    [31, 1, 0, [0, 1]],
    [32, 1, 0, [0, 2]],
    [0, 33, 0, [0, 2]],
    [100, 1, 1, [3, 4]],
    [63, 1, 32, [1, 2]],
    [64, 1, 32, [1, 3]],
    [63, 1, 33, [0, 2]],
    [70, 2, 16, [1, 3]],
    [95, 2, 32, [2, 4]],
    [4000, 1, 4096, [0, 126]],
    [5000, 1, 4096, [28, 157]],
  ])("position %d, %d rows, window %d: entries %o", (position, count, slidingWindow, expected) => {
    const [group] = groupForAttention([span(1, position, count)], { ...OPTIONS, slidingWindow });
    expect(group?.members.map(({ first, last }) => [first, last])).toEqual([expected]);
  });
});

describe("spans of a step", () => {
  it("attend together when they have one row and similar lengths, shortest first; the others alone, last", () => {
    expect(grouped([span(1, 1000), span(2, 40), span(3, 0, 90), span(4, 70), span(5, 900)])).toEqual([
      { sequences: [2, 4], count: 1, pages: 3 },
      { sequences: [5, 1], count: 1, pages: 32 },
      { sequences: [3], count: 90, pages: 3 },
    ]);
  });

  it("are padded by one page or a quarter of the shortest, whichever is more", () => {
    const ofPages = (pages: number) => span(pages, pages * 32 - 1);
    expect(grouped([1, 2, 3].map(ofPages)).map(({ sequences }) => sequences)).toEqual([[1, 2], [3]]);
    expect(grouped([8, 10, 11].map(ofPages)).map(({ sequences }) => sequences)).toEqual([[8, 10], [11]]);
  });

  it("keep the order of the frame among equals", () => {
    expect(grouped([span(3, 5), span(1, 6), span(2, 0, 2), span(4, 0, 3)]).map(({ sequences }) => sequences)).toEqual([
      [3, 1],
      [2],
      [4],
    ]);
  });

  it("are counted by the pages inside the window", () => {
    expect(grouped([span(1, 4000), span(2, 500)], { slidingWindow: 64 })).toEqual([
      { sequences: [1, 2], count: 1, pages: 3 },
    ]);
  });

  it("form no group that gathers more than 8 MiB, but a span alone may", () => {
    const pageBytes = 3 * 1024 * 1024;
    expect(grouped([span(1, 10), span(2, 10), span(3, 10)], { pageBytes }).map(({ sequences }) => sequences)).toEqual([
      [1, 2],
      [3],
    ]);
    expect(grouped([span(1, 1000)], { pageBytes })).toHaveLength(1);
  });

  it("are none for a step without spans", () => {
    expect(grouped([])).toEqual([]);
  });
});

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
