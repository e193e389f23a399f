import { chainOf, extendChain } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { HeldLinks } from "./held-links.js";
import { PagePool } from "./page-pool.js";
import { PrefixCache } from "./prefix-cache.js";

const PAGE_SIZE = 4;

/** A cache over 16 pages, and a way to leave computed tokens in it. */
function open(slidingWindow = 0) {
  const pages: PagePool = new PagePool(16, (page) => cache.forget(page));
  const links = new HeldLinks();
  const cache = new PrefixCache({ pages, pageSize: PAGE_SIZE, slidingWindow, links });
  const leave = (tokens: readonly number[], salt = ""): readonly number[] => {
    const taken = pages.allocate(tokens.length / PAGE_SIZE);
    let cursor: ReturnType<PrefixCache["root"]> | null = cache.root(salt);
    for (const [index, page] of taken.entries()) {
      const held = Int32Array.from(tokens.slice(index * PAGE_SIZE, (index + 1) * PAGE_SIZE));
      if (cursor !== null) cursor = cache.insert(cursor, held, page);
    }
    if (cursor !== null) cache.unpin(cursor);
    pages.release(taken);
    return taken;
  };
  const acquire = (tokens: readonly number[], limit = tokens.length, salt = "") =>
    cache.acquire(salt, Int32Array.from(tokens), limit);
  const lengthOf = (tokens: readonly number[], limit = tokens.length, salt = "") =>
    cache.lengthOf(salt, Int32Array.from(tokens), limit);
  return { pages, links, leave, acquire, lengthOf };
}

const count = (length: number, from = 1): number[] => Array.from({ length }, (_, index) => from + index);

describe("PrefixCache", () => {
  it("finds the full pages that a prompt begins with", () => {
    const { leave, acquire } = open();
    const pages = leave(count(12));
    expect(acquire([...count(8), 77, 78])).toMatchObject({
      length: 8,
      first: 0,
      pages: pages.slice(0, 2),
      copyFrom: null,
    });
  });

  it("offers a copy of the page that goes on alike for a while", () => {
    const { leave, acquire } = open();
    const pages = leave(count(12));
    expect(acquire([...count(10), 77])).toMatchObject({ length: 10, pages: pages.slice(0, 2), copyFrom: pages[2] });
  });

  it("says how much it would find, and holds nothing for that", () => {
    const { pages, leave, acquire, lengthOf } = open();
    leave(count(12));
    expect([lengthOf(count(14)), lengthOf(count(14), 11), lengthOf(count(4, 9)), lengthOf([])]).toEqual([12, 8, 0, 0]);
    expect(lengthOf(count(14), 14, "other")).toBe(0);
    expect(pages.cached).toBe(3);
    expect(acquire(count(14))?.length).toBe(12);
  });

  it("tells the links of its pages, as long as it has them", () => {
    const { pages, links, leave } = open();
    leave(count(40));
    const [link = ""] = extendChain(chainOf(""), Int32Array.from(count(40))).links;
    expect([links.size, links.has(link)]).toEqual([1, true]);
    leave(count(32), "salt"); // takes the two pages behind the link
    expect([links.size, links.has(link)]).toEqual([2, true]);
    pages.allocate(14);
    expect(links.size).toBe(0);
  });

  it("never gives the whole of what must be computed", () => {
    const { leave, acquire } = open();
    const pages = leave(count(8));
    expect(acquire(count(8), 7)).toMatchObject({ length: 7, pages: pages.slice(0, 1), copyFrom: pages[1] });
    expect(acquire([1], 0)).toBeNull();
  });

  it("knows a page by all that comes before it", () => {
    const { leave, acquire } = open();
    leave([...count(4), ...count(4, 50)]);
    expect(acquire([...count(4, 9), ...count(4, 50)])).toBeNull();
  });

  it("shares nothing between salts", () => {
    const { leave, acquire } = open();
    leave(count(8), "a");
    expect(acquire(count(8), 8, "b")).toBeNull();
    expect(acquire(count(8), 8, "a")?.length).toBe(8);
  });

  it("tells tokens apart that have the same hash", () => {
    const { leave, acquire } = open();
    // FNV-1a takes the ids one by one: a page of zeros and one whose first id undoes the offset basis end alike.
    const collides = [[0, 0, 0, 0], collisionOf([0, 0, 0, 0])];
    leave(collides[0] ?? []);
    expect(acquire(collides[1] ?? [])?.length ?? 0).toBeLessThan(4);
  });

  it("needs only the pages that a window still sees", () => {
    const { pages, leave, acquire } = open(4);
    const left = leave(count(16));
    pages.retain(left.slice(2)); // the least recently used would go from the end
    pages.allocate(12 + 2); // evicts entries 1 and 0
    pages.release(left.slice(2));
    const hit = acquire([...count(16), 77]);
    expect(hit).toMatchObject({ length: 16, first: 3, pages: [left[3]] });
  });

  it("uses nothing behind a missing page when every position is seen", () => {
    const { pages, leave, acquire } = open();
    const left = leave(count(16));
    pages.retain([...left.slice(0, 1), ...left.slice(2)]);
    pages.allocate(12 + 1);
    expect(acquire([...count(16), 77])).toMatchObject({ length: 4, pages: left.slice(0, 1) });
  });
});

/** Another four ids with the same hash: changes the third, and makes the fourth cancel the change. */
function collisionOf(tokens: readonly number[]): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = tokens;
  let hash = 2166136261;
  for (const token of [a, b]) hash = Math.imul(hash ^ token, 16777619);
  const one = Math.imul(hash ^ c, 16777619);
  const other = Math.imul(hash ^ (c + 1), 16777619);
  return [a, b, c + 1, d ^ one ^ other];
}
