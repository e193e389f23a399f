import { describe, expect, it } from "vitest";
import { chainOf, extendChain, LINK_TOKENS, linksOf, MOST_ROUTE, type RoutedJob, routeOf } from "./prefix-links.js";

const tokens = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);
const linksOfAll = (ids: readonly number[], salt = "") => extendChain(chainOf(salt), Int32Array.from(ids)).links;
const FIELDS = { maxTokens: 8, cachePrompt: true, cacheSalt: "", promptLogprobs: null, pooling: null } as const;
const route = (promptIds: number[], fields: Partial<RoutedJob> = {}) => routeOf({ ...FIELDS, promptIds, ...fields });

describe("a chain of links", () => {
  it.each([1, 4, 32, 48, 100])("is the same in pages of %d tokens", (pageSize) => {
    const all = tokens(300);
    let chain = chainOf("");
    const links: string[] = [];
    for (let start = 0; start < all.length; start += pageSize) {
      const extended = extendChain(chain, Int32Array.from(all.slice(start, start + pageSize)));
      links.push(...extended.links);
      chain = extended.chain;
    }
    expect(links).toEqual(linksOfAll(all));
    expect(links).toHaveLength(9);
    expect(chain.rest).toHaveLength(300 - 9 * LINK_TOKENS);
  });

  it("differs from the first different token on", () => {
    const other = tokens(96);
    other[40] = 7;
    const [a, b] = [linksOfAll(tokens(96)), linksOfAll(other)];
    expect(a.map((link, index) => link === b[index])).toEqual([true, false, false]);
  });

  it("has nothing in common with one of another salt", () => {
    const [a, b] = [linksOfAll(tokens(96)), linksOfAll(tokens(96), "team")];
    expect(a.filter((link) => b.includes(link))).toEqual([]);
  });

  it("tells the order of equal runs", () => {
    const [first, second] = linksOfAll([...tokens(32), ...tokens(32)]);
    expect(first).not.toBe(second);
  });
});

describe("a route", () => {
  it("has a prompt's length, the answer's, and the links of what may be cached", () => {
    const text = route(tokens(65));
    expect(text).toMatch(/^65 8 32 [\w-]{22}$/);
    expect(linksOf(text)).toEqual(linksOfAll(tokens(64)));
    // The last row is computed, whatever the cache has.
    expect(linksOf(route(tokens(64)))).toHaveLength(1);
  });

  it("has every second link of a prompt with more than 64, every third of one with more than 128", () => {
    const all = linksOfAll(tokens(5000));
    expect(linksOf(route(tokens(5000)))).toEqual(all.filter((_, index) => index % 3 === 2));
    expect(route(tokens(5000))).toMatch(/^5000 8 96 /);
  });

  it("is bounded", () => {
    const longest = route(tokens(200_000), { maxTokens: 2 ** 31 });
    expect(longest.length).toBeLessThanOrEqual(MOST_ROUTE);
    expect(linksOf(longest).length).toBeGreaterThan(60);
  });

  it.each<[string, Partial<RoutedJob>]>([
    ["that is not to be cached", { cachePrompt: false }],
    ["whose tokens are scored", { promptLogprobs: 0 }],
    ["that is pooled", { pooling: "mean" }],
  ])("of a prompt %s has no links", (_, fields) => expect(route(tokens(65), fields)).toBe("65 8 32 "));

  it("that is empty has no links", () => expect(linksOf("")).toEqual([]));
});
