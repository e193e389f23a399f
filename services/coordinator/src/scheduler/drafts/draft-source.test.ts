import { describe, expect, it } from "vitest";
import { DraftSource } from "./draft-source.js";

const tokens = (...ids: number[]): Int32Array => Int32Array.from(ids);

describe("DraftSource", () => {
  it("proposes what followed the last tokens the time before", () => {
    expect(new DraftSource().propose(tokens(5, 6, 7, 8, 9, 5, 6, 7), 2)).toEqual([8, 9]);
  });

  it("prefers three equal tokens to two, and the latest place", () => {
    expect(new DraftSource().propose(tokens(1, 2, 3, 40, 9, 2, 3, 50, 1, 2, 3), 1)).toEqual([40]);
    expect(new DraftSource().propose(tokens(2, 3, 40, 9, 2, 3, 50, 8, 2, 3), 1)).toEqual([50]);
  });

  it("goes on past the end with its own proposal", () => {
    expect(new DraftSource().propose(tokens(1, 2, 1, 2, 1), 4)).toEqual([2, 1, 2, 1]);
  });

  it("proposes nothing when the end never came before", () => {
    expect(new DraftSource().propose(tokens(1, 2, 3, 4), 4)).toEqual([]);
    expect(new DraftSource().propose(tokens(1), 4)).toEqual([]);
  });

  it("indexes tokens that were added", () => {
    const drafts = new DraftSource();
    expect(drafts.propose(tokens(1, 2, 3), 2)).toEqual([]);
    expect(drafts.propose(tokens(1, 2, 3, 1, 2), 1)).toEqual([3]);
  });

  it("indexes a long text over several steps, so that none waits for it", () => {
    const drafts = new DraftSource();
    const long = Int32Array.from({ length: 131_072 }, (_, i) => i % 100_000);
    expect(drafts.propose(long, 4)).toEqual([]); // what its end repeats is at 31,000
    for (let step = 0; step < 64; step++) drafts.propose(long, 4);
    expect(drafts.propose(long, 2)).toEqual([31_072, 31_073]);
  });

  it("remembers how often it was right, and forgets it while it is not asked", () => {
    const drafts = new DraftSource();
    for (let n = 0; n < 40; n++) drafts.learn(0, 4);
    expect(drafts.acceptance).toBeLessThan(0.01);
    for (let n = 0; n < 100; n++) drafts.fade();
    expect(drafts.acceptance).toBeGreaterThan(0.4);
  });
});
