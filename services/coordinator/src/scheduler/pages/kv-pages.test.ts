import { describe, expect, it } from "vitest";
import { fakeSequence } from "../../testing/scheduling.js";
import type { Sequence } from "../sequence.js";
import { KvPages } from "./kv-pages.js";

const PAGE_SIZE = 4;
const open = ({ total = 8, slidingWindow = 0 } = {}) =>
  new KvPages({ pageSize: PAGE_SIZE, slidingWindow, contextLength: 32, maxRows: 8 }, total);

/** Admits the sequence and computes all of its known tokens. Returns the positions that the prefix cache had. */
function compute(pages: KvPages, sequence: Sequence): number {
  const cached = pages.acquire(sequence);
  pages.grow(sequence, sequence.length);
  pages.takeCopy(sequence);
  pages.register(sequence, sequence.length);
  return cached;
}

/** Leaves the full pages of a computed sequence in the cache. */
function leave(pages: KvPages, sequence: Sequence): readonly number[] {
  compute(pages, sequence);
  const table = [...pages.table(sequence)];
  pages.release(sequence);
  return table;
}

describe("KvPages", () => {
  it("gives a sequence pages as it grows and takes all of them back", () => {
    const pages = open();
    const sequence = fakeSequence({ promptLength: 6 });
    expect(pages.acquire(sequence)).toBe(0);
    expect([pages.needed(sequence), pages.missing(sequence, 6), pages.reach(sequence)]).toEqual([2, 2, 32]);
    expect(pages.grow(sequence, 6)).toEqual([0, 1]);
    expect([pages.held(sequence), pages.needed(sequence), pages.missing(sequence, 9)]).toEqual([2, 0, 1]);
    expect(pages.grow(sequence, 8)).toEqual([]);
    expect(pages.grow(sequence, 9)).toEqual([2]);
    expect(pages.table(sequence)).toEqual([0, 1, 2]);
    pages.release(sequence);
    expect(pages.counts).toEqual({ total: 8, free: 8, cached: 0 });
  });

  it("throws KV_FULL when a sequence grows beyond the available pages", () => {
    const pages = open({ total: 2 });
    const sequence = fakeSequence({ promptLength: 9 });
    pages.acquire(sequence);
    expect(() => pages.grow(sequence, 9)).toThrow("3 pages were asked for; 2 of 2 are available.");
  });

  it("keeps the full pages of known tokens in the cache, and the rest free", () => {
    const pages = open();
    leave(pages, fakeSequence({ promptLength: 10 }));
    expect(pages.counts).toEqual({ total: 8, free: 6, cached: 2 });
  });

  it("lets a later sequence begin with them: 8 of 9 equal tokens, then a copy of none", () => {
    const pages = open();
    const table = leave(pages, fakeSequence({ promptLength: 10 }));
    const later = fakeSequence({ promptLength: 9 });
    expect(pages.acquire(later)).toBe(8);
    expect(pages.table(later)).toEqual(table.slice(0, 2));
    expect(pages.takeCopy(later)).toBeNull();
  });

  it("copies the page whose beginning is equal, once: the last row must be computed", () => {
    const pages = open();
    const [, second] = leave(pages, fakeSequence({ promptLength: 8 }));
    const later = fakeSequence({ promptLength: 8 });
    expect(pages.acquire(later)).toBe(7);
    const copy = pages.takeCopy(later);
    expect(copy).toEqual({ from: second, to: pages.table(later)[1] });
    expect(pages.takeCopy(later)).toBeNull();
    pages.giveBack([copy?.from ?? -1]);
    pages.release(later);
    expect(pages.counts).toEqual({ total: 8, free: 6, cached: 2 });
  });

  it("gives the source of a copy back that was never made", () => {
    const pages = open();
    leave(pages, fakeSequence({ promptLength: 8 }));
    const later = fakeSequence({ promptLength: 8 });
    pages.acquire(later);
    pages.release(later);
    expect(pages.counts).toEqual({ total: 8, free: 6, cached: 2 });
  });

  it("does without the copy when there is no page for it", () => {
    const pages = open({ total: 3 });
    leave(pages, fakeSequence({ promptLength: 8 }));
    const other = fakeSequence({ promptIds: [90, 91] });
    pages.acquire(other);
    pages.grow(other, 2);
    const later = fakeSequence({ promptLength: 8 });
    expect(pages.acquire(later)).toBe(4);
    expect(pages.takeCopy(later)).toBeNull();
  });

  it.each([
    [{ cachePrompt: false }, "left out by the request"],
    [{ cacheSalt: "other" }, "another salt"],
    [{ promptLogprobs: 0 }, "scores need every row"],
    [{ pooling: "mean" as const, maxTokens: 0 }, "pooling needs every row"],
    [{ promptIds: [9, 2, 3, 4, 5] }, "another first token"],
  ])("finds nothing for a request with %j: %s", (job, _why) => {
    const pages = open();
    leave(pages, fakeSequence({ promptLength: 8 }));
    expect(pages.acquire(fakeSequence({ promptLength: 5, ...job }))).toBe(0);
  });

  it("lets a sequence share pages that another one still writes behind", () => {
    const pages = open();
    const first = fakeSequence({ promptLength: 10 });
    compute(pages, first);
    const second = fakeSequence({ promptLength: 10 });
    pages.acquire(second);
    expect(pages.table(second).slice(0, 2)).toEqual(pages.table(first).slice(0, 2));
    pages.release(first);
    expect(pages.held(second)).toBeGreaterThan(1); // the shared pages stay
  });

  it("drops the pages behind a window of 4: at position 9 rows see 6 to 9", () => {
    const pages = open({ slidingWindow: 4 });
    const sequence = fakeSequence({ promptLength: 10 });
    pages.acquire(sequence);
    pages.grow(sequence, 10);
    expect([5, 6, 7, 10, 11].map((position) => pages.firstVisibleEntry(position))).toEqual([0, 0, 1, 1, 2]);
    expect(pages.dropUnseen(sequence, 9)).toEqual([0]);
    expect(pages.dropUnseen(sequence, 9)).toEqual([]);
    expect([pages.held(sequence), pages.missing(sequence, 12)]).toEqual([2, 0]);
    pages.giveBack([0]);
    pages.release(sequence);
    expect(pages.counts.free).toBe(8);
  });

  it("needs no more pages than a window can see, however long the sequence", () => {
    const pages = open({ slidingWindow: 4, total: 8 });
    const sequence = fakeSequence({ promptLength: 28 });
    pages.acquire(sequence);
    // Chunks of 8 rows and a window of 4 touch at most ceil(10 / 4) + 1 pages.
    expect(pages.needed(sequence)).toBe(4);
  });

  it("names the request that holds no pages", () => {
    const sequence = fakeSequence({ requestId: "r7" });
    expect(() => open().held(sequence)).toThrow("Request r7 holds no pages.");
  });
});
