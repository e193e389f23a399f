import { describe, expect, it, test } from "vitest";
import { PageTable } from "../kv-cache/page-table.js";
import type { AttentionSpan } from "./attention.js";
import { groupForAttention } from "./attention-groups.js";

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
