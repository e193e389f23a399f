import { describe, expect, it } from "vitest";
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

const grouped = (spans: readonly TestSpan[], options = {}) =>
  groupForAttention(spans, { pageSize: 32, slidingWindow: 0, pageBytes: 1, ...options }).map(
    ({ members, count, pages }) => ({
      sequences: members.map(({ span: { sequence } }) => sequence),
      count,
      pages,
    }),
  );

describe("spans of a step", () => {
  it("attend together when they have one row and similar lengths, shortest first; the others alone, last", () => {
    expect(grouped([span(1, 1000), span(2, 40), span(3, 0, 90), span(4, 70), span(5, 900)])).toEqual([
      { sequences: [2, 4], count: 1, pages: 3 },
      { sequences: [5, 1], count: 1, pages: 32 },
      { sequences: [3], count: 90, pages: 3 },
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
});
