import { describe, expect, it } from "vitest";
import { PagePool } from "./page-pool.js";

describe("PagePool", () => {
  it("gives a page back only when nobody refers to it", () => {
    const pool = new PagePool(2);
    const [page = -1] = pool.allocate(1);
    pool.retain([page]);
    pool.release([page]);
    expect(pool.free).toBe(1);
    pool.release([page]);
    expect(pool.free).toBe(2);
  });

  it("keeps marked pages, and gives them up when no free one is left, the end of a release first", () => {
    const evicted: number[] = [];
    const pool = new PagePool(3, (page) => evicted.push(page));
    const pages = pool.allocate(3);
    for (const page of pages) pool.mark(page);
    pool.release(pages);
    expect([pool.free, pool.cached, pool.available]).toEqual([0, 3, 3]);
    pool.allocate(2);
    expect(evicted).toEqual([pages[2], pages[1]]);
  });

  it("does not evict what was retained again", () => {
    const pool = new PagePool(2);
    const [page = -1] = pool.allocate(1);
    pool.mark(page);
    pool.release([page]);
    pool.retain([page]);
    expect(pool.allocate(1)).not.toContain(page);
    expect(() => pool.allocate(1)).toThrow("1 pages were asked for; 0 of 2 are available.");
  });

  it("refuses a second release, and to retain what is free", () => {
    const pool = new PagePool(1);
    const pages = pool.allocate(1);
    pool.release(pages);
    expect(() => pool.release(pages)).toThrow("released twice");
    expect(() => pool.retain(pages)).toThrow("while it was free");
  });
});
