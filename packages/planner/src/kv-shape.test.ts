import { describe, expect, it } from "vitest";
import { firstVisiblePosition, livePages } from "./kv-shape.js";

describe("firstVisiblePosition", () => {
  it.each([
    { position: 5, window: 4, first: 2 },
    { position: 3, window: 4, first: 0 },
    { position: 4, window: 4, first: 1 },
    { position: 9, window: 1, first: 9 },
    { position: 9, window: 0, first: 0 },
    { position: 0, window: 4096, first: 0 },
  ])("is $first for position $position and window $window", ({ position, window, first }) => {
    expect(firstVisiblePosition(position, window)).toBe(first);
  });
});

describe("livePages", () => {
  const shape = { pageSize: 32, slidingWindow: 64, contextLength: 4096, maxRows: 32 };

  it.each([
    { name: "all pages without a window", positions: 1000, window: 0, pages: 32 },
    { name: "all pages of a sequence shorter than the window", positions: 33, window: 64, pages: 2 },
    { name: "what a window and a chunk touch", positions: 1000, window: 64, pages: 4 },
  ])("counts $name", ({ positions, window, pages }) => {
    expect(livePages(positions, { ...shape, slidingWindow: window })).toBe(pages);
  });

  it("is reached, and never exceeded, by a sequence prefilled chunk by chunk", () => {
    for (const slidingWindow of [1, 2, 5, 8, 13]) {
      for (const maxRows of [1, 2, 3, 8]) {
        const few = { pageSize: 4, slidingWindow, contextLength: 200, maxRows };
        let most = 0;
        for (let start = 0; start + maxRows <= few.contextLength; start += 1) {
          const firstPage = Math.floor(firstVisiblePosition(start, slidingWindow) / few.pageSize);
          most = Math.max(most, Math.ceil((start + maxRows) / few.pageSize) - firstPage);
        }
        expect(most).toBe(livePages(few.contextLength, few));
      }
    }
  });
});
