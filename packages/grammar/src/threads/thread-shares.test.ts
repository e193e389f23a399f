import { describe, expect, it } from "vitest";
import { ThreadShares } from "./thread-shares.js";

const claim = { owner: "a", held: 0, added: 1, taken: 1, isHeldBack: false };

/** Threads that an owner gets who asks for more and more, where `free` are left. */
function shareOf(free: number, owner: string): number {
  for (let held = 0; ; held++) if (!new ThreadShares(free - held).mayStart({ ...claim, owner, held })) return held;
}

describe("ThreadShares", () => {
  it.each([
    [16, [8, 4, 2, 1, 1]],
    [17, [9, 4, 2, 1, 1]],
    [3, [2, 1]],
    [2, [1, 1]],
  ])("give each owner half of the %i threads that are left, rounded up", (threads, expected) => {
    let free = threads;
    const shares = expected.map((_, i) => {
      const share = shareOf(free, `owner ${i}`);
      free -= share;
      return share;
    });
    expect([shares, free]).toEqual([expected, 0]);
  });

  it("give clients without keys every thread", () => expect(shareOf(16, "")).toBe(16));

  it("give an owner without any what one text needs", () => {
    const both = { ...claim, added: 2, taken: 2 };
    expect(new ThreadShares(2).mayStart(both)).toBe(true);
    expect(new ThreadShares(2).mayStart({ ...both, held: 1 })).toBe(false);
    expect(new ThreadShares(1).mayStart(both)).toBe(false);
  });

  it("let a text use threads that are in use already, whatever it waits behind", () => {
    const shares = new ThreadShares(0);
    expect(shares.mayStart({ ...claim, held: 5 })).toBe(false);
    expect(shares.mayStart({ ...claim, held: 5, taken: 0 })).toBe(true);
  });

  it("keep threads for a text that can't start yet, and none for one whose owner has too many", () => {
    const both = { ...claim, added: 2, taken: 2 };
    const short = new ThreadShares(1);
    expect([both, { ...claim, owner: "b" }].map((each) => short.mayStart(each))).toEqual([false, false]);
    const compiling = new ThreadShares(1);
    expect(
      [
        { ...claim, isHeldBack: true },
        { ...claim, owner: "b" },
      ].map((each) => compiling.mayStart(each)),
    ).toEqual([false, false]);
    const over = new ThreadShares(1);
    expect([{ ...claim, held: 5 }, claim, { ...claim, owner: "b" }].map((each) => over.mayStart(each))).toEqual([
      false,
      false,
      true,
    ]);
  });
});
