import { describe, expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import type { Sequence } from "./sequence.js";
import { overShare } from "./shares.js";

const ofKeys = (keys: string): Sequence[] => [...keys].map((keyId) => fakeSequence({ keyId }));
const places = (running: readonly Sequence[], keyId: string) =>
  overShare(running, { head: fakeSequence({ keyId }), needed: 1, held: () => 1 });

describe("overShare", () => {
  it.each([
    ["aaaa", "b", 3],
    ["aaab", "b", 2],
    ["baaa", "c", 3],
    ["aa", "b", 1],
  ])("of %s for %s is the newest of the key that holds most: the one at %i", (keys, head, index) => {
    const running = ofKeys(keys);
    expect(places(running, head)).toBe(running[index]);
  });

  it.each([
    ["aabb", "b"],
    ["aaabb", "b"],
    ["aaaa", "a"],
    ["a", "b"],
    ["abcd", "e"],
    ["", "a"],
  ])("of %j for %s is nobody's", (keys, head) => expect(places(ofKeys(keys), head)).toBeNull());

  it("weighs what is short: a key keeps its many pages from one that would hold more", () => {
    const running = ofKeys("aa");
    const pages = (needed: number) =>
      overShare(running, { head: fakeSequence({ keyId: "b" }), needed, held: () => 10 });
    expect([pages(10), pages(11)]).toEqual([running[1], null]);
  });
});
