import { describe, expect, it } from "vitest";
import { HandedBack, HeldJobs } from "./held-jobs.js";

/** Jobs "1" to "4" with these turns; `begun` can't be handed back. */
function setUp(begun: readonly string[] = []) {
  const handedBack: string[] = [];
  const jobs = new HeldJobs((requestId, reason) => {
    expect(reason).toBeInstanceOf(HandedBack);
    if (begun.includes(requestId)) return false;
    handedBack.push(requestId);
    return true;
  });
  for (const turn of [3, 1, 4, 2]) jobs.add(`${turn}`, turn);
  return { jobs, handedBack };
}

describe("held jobs", () => {
  it.each<[readonly number[], readonly string[]]>([
    [[1], ["4"]],
    [
      [1, 1],
      ["4", "3"],
    ],
    [
      [1, 2, 3, 4],
      ["4", "3"],
    ],
    [[4], []],
    [[], []],
    [
      [0, 0, 0, 0, 0],
      ["4", "3", "2", "1"],
    ],
  ])("make way for jobs of turns %j: %j go back", (waiting, back) => {
    const { jobs, handedBack } = setUp();
    jobs.makeWay(waiting);
    expect(handedBack).toEqual(back);
  });

  it("stay when they have begun", () => {
    const { jobs, handedBack } = setUp(["4", "2"]);
    jobs.makeWay([1, 1]);
    expect(handedBack).toEqual(["3"]);
  });

  it.each<[number, readonly string[], readonly string[]]>([
    [0, [], []],
    [2, [], ["4", "3"]],
    [9, [], ["4", "3", "2", "1"]],
    [2, ["4", "2"], ["3", "1"]],
  ])("of which %d are too many, go back but for those that have begun (%j): %j", (most, begun, back) => {
    const { jobs, handedBack } = setUp(begun);
    expect(jobs.give(most)).toBe(back.length);
    expect(handedBack).toEqual(back);
  });

  it("are forgotten when they end", () => {
    const { jobs, handedBack } = setUp();
    jobs.delete("4");
    expect(jobs.size).toBe(3);
    jobs.makeWay([1]);
    expect(handedBack).toEqual(["3"]);
  });
});
