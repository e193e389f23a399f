import { describe, expect, it } from "vitest";
import { HandedBack, HeldJobs } from "./held-jobs.js";

/** Jobs "1" to "4" with these turns; `begun` can't be handed back. */
function setUp(begun: readonly string[] = []) {
  const handedBack: string[] = [];
  const jobs = new HeldJobs({
    lackingOf: (requestId) => (begun.includes(requestId) ? null : 7),
    handBack: (requestId, reason) => {
      expect(reason).toBeInstanceOf(HandedBack);
      if (begun.includes(requestId)) return false;
      handedBack.push(requestId);
      return true;
    },
  });
  for (const turn of [3, 1, 4, 2]) jobs.add(held(turn));
  return { jobs, handedBack };
}

const held = (turn: number) => ({ requestId: `${turn}`, turn, route: "", token: `token ${turn}` });

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
  ])("up to %d that have not begun (not %j) are found, the last turns first: %j", (most, begun, found) => {
    const { jobs } = setUp(begun);
    const unbegun = jobs.unbegun(most);
    expect(unbegun.map(({ requestId }) => requestId)).toEqual(found);
    expect(unbegun.every(({ lacks }) => lacks === 7)).toBe(true);
  });

  it("go back for another coordinator", () => {
    const { jobs, handedBack } = setUp();
    for (const job of jobs.unbegun(2)) jobs.give(job);
    expect(handedBack).toEqual(["4", "3"]);
  });

  it("are forgotten when they end", () => {
    const { jobs, handedBack } = setUp();
    const [last] = jobs.all().filter(({ turn }) => turn === 4);
    if (last !== undefined) jobs.delete(last);
    expect(jobs.size).toBe(3);
    jobs.makeWay([1]);
    expect(handedBack).toEqual(["3"]);
  });

  it("are not forgotten when they were taken again before the first taking has ended", () => {
    const { jobs } = setUp();
    const [first, again] = [held(5), held(5)];
    for (const job of [first, again]) jobs.add(job);
    jobs.delete(first);
    expect([jobs.has(first), jobs.has(again)]).toEqual([false, true]);
  });
});
