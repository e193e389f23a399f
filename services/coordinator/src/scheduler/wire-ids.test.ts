import { describe, expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { WireIds } from "./wire-ids.js";

describe("WireIds", () => {
  it("never gives an id twice, and finds open sequences by theirs", () => {
    const ids = new WireIds();
    const [a, b, c, d] = [fakeSequence(), fakeSequence(), fakeSequence(), fakeSequence()];
    expect([ids.open(a), ids.open(b), ids.open(a)]).toEqual([1, 2, 1]);
    ids.close(a);
    expect([ids.isOpen(a), ids.hasClosing, ids.open(c)]).toEqual([false, true, 3]);
    expect(ids.takeClosing()).toEqual([1]);
    expect([ids.hasClosing, ids.takeClosing(), ids.open(d)]).toEqual([false, [], 4]);
    expect([ids.find(1), ids.find(2), ids.find(4)]).toEqual([undefined, b, d]);
  });

  it("closes nothing for a sequence that the stages never knew", () => {
    const ids = new WireIds();
    ids.close(fakeSequence());
    expect(ids.hasClosing).toBe(false);
  });
});
