import { expect, it } from "vitest";
import { HeldLinks } from "./held-links.js";

const open = (...held: string[]) => {
  const links = new HeldLinks();
  links.add(held);
  links.takeUntold(1000);
  return links;
};

it("tells what came and what went, once", () => {
  const links = open("a", "b");
  links.add(["c", "d"]);
  links.delete(["a", "d"]);
  expect(links.takeUntold(1000)).toEqual({ held: ["c"], gone: ["d", "a"] });
  expect(links.takeUntold(1000)).toEqual({ held: [], gone: [] });
  expect([links.size, links.has("b"), links.has("a")]).toEqual([2, true, false]);
});

it("tells a part at a time", () => {
  const links = new HeldLinks();
  links.add(["a", "b", "c"]);
  expect(links.takeUntold(2)).toEqual({ held: ["a", "b"], gone: [] });
  expect(links.takeUntold(2)).toEqual({ held: ["c"], gone: [] });
});

it("tells again what others may have wrong", () => {
  const links = open("a", "b");
  links.doubt(["b", "x"]);
  expect(links.takeUntold(1000)).toEqual({ held: ["b"], gone: ["x"] });
  links.doubt();
  expect(links.takeUntold(1000)).toEqual({ held: ["a", "b"], gone: [] });
});

it("tells that all are gone", () => {
  const links = open("a", "b");
  links.clear();
  expect(links.takeUntold(1000)).toEqual({ held: [], gone: ["a", "b"] });
});

it("remembers 32,768 at most", () => {
  const links = new HeldLinks();
  links.add(Array.from({ length: 40_000 }, (_, index) => `${index}`));
  expect(links.size).toBe(32_768);
});
