import { describe, expect, it } from "vitest";
import { fakeSequence, measuredCosts } from "../testing/scheduling.js";
import { StepCosts } from "./budget/step-costs.js";
import { chooseGroupCount, Groups } from "./groups.js";
import type { Sequence } from "./sequence.js";

/** Groups with `members` sequences that have joined. */
function setUp(most: number, used: number, members: number) {
  const groups = new Groups(most, used);
  const sequences = Array.from({ length: members }, () => fakeSequence());
  for (const sequence of sequences) groups.join(sequence);
  const ready = (): number[][] =>
    Array.from({ length: most }, (_, group) => [...groups.ready(group)].map((sequence) => sequences.indexOf(sequence)));
  return {
    groups,
    sequences,
    ready: ready,
    markAll: (of: readonly Sequence[] = sequences) => of.forEach((each) => void groups.markReady(each)),
  };
}

describe("Groups", () => {
  it("spreads sequences evenly over the groups in use", () => {
    const { ready, markAll } = setUp(3, 2, 5);
    markAll();
    expect(ready()).toEqual([[0, 2, 4], [1, 3], []]);
  });

  it("takes idle groups with ready members in turn", () => {
    const { groups, sequences, markAll } = setUp(3, 3, 3);
    markAll();
    const order = [0, 1, 2].map(() => {
      const group = groups.next({ ahead: false }) ?? -1;
      groups.sent(group);
      return group;
    });
    expect(order).toEqual([1, 2, 0]);
    expect(groups.next({ ahead: false })).toBeNull();
    groups.returned(2);
    expect(groups.next({ ahead: false })).toBe(2);
    for (const sequence of sequences) groups.unmarkReady(sequence);
    expect(groups.next({ ahead: false })).toBeNull();
  });

  it("lets no group wait for another: one in flight does not hold up the next", () => {
    const { groups, markAll } = setUp(2, 2, 2);
    markAll();
    groups.sent(0);
    groups.sent(1);
    groups.returned(1);
    expect(groups.next({ ahead: false })).toBe(1);
  });

  it("lets a group follow its own rows in flight when it may go ahead, after the groups with none", () => {
    const { groups, sequences, markAll } = setUp(2, 2, 2);
    markAll();
    groups.sent(0);
    expect(groups.next({ ahead: true })).toBe(1);
    for (const each of sequences.slice(1)) groups.unmarkReady(each);
    expect([groups.next({ ahead: true }), groups.next({ ahead: false })]).toEqual([0, null]);
    groups.sent(0);
    groups.returned(0);
    expect(groups.next({ ahead: false })).toBeNull(); // the second is in flight
    groups.returned(0);
    expect(groups.next({ ahead: false })).toBe(0);
  });

  it("waits for a known token in a group with nothing in flight, and takes the others along", () => {
    const { groups, sequences, markAll, ready } = setUp(1, 1, 2);
    for (const each of sequences) {
      each.start(0);
      each.send(each.length);
    }
    markAll();
    expect(groups.next({ ahead: true })).toBeNull();
    sequences[0]?.append([50], 1);
    expect([groups.next({ ahead: true }), ready()]).toEqual([0, [[0, 1]]]);
  });

  it("moves a sequence out of a group that is no longer in use, when it is ready", () => {
    const { groups, sequences, ready, markAll } = setUp(3, 3, 3);
    groups.use(2);
    expect(groups.used).toBe(2);
    markAll(sequences.slice(0, 2));
    expect(ready()).toEqual([[0], [1], []]);
    markAll(sequences.slice(2));
    expect(ready()).toEqual([[0, 2], [1], []]);
  });

  it("evens out groups that differ by two members, not by one", () => {
    const { groups, sequences, ready, markAll } = setUp(2, 2, 4);
    const [first, second, third, fourth] = sequences;
    if (second !== undefined) groups.leave(second); // group 0 has two members, group 1 has one
    markAll([first, third].filter((each) => each !== undefined));
    expect(ready()).toEqual([[0, 2], []]);
    if (fourth !== undefined) groups.leave(fourth); // now group 1 has none
    markAll([first].filter((each) => each !== undefined));
    expect(ready()).toEqual([[2], [0]]);
  });

  it.each([
    [0, 1],
    [2, 2],
    [9, 3],
  ])("asked for %i groups of at most 3, uses %i", (count, used) => {
    const groups = new Groups(3, 1);
    groups.use(count);
    expect(groups.used).toBe(used);
  });

  it("forgets a sequence that leaves, also when it leaves twice", () => {
    const { groups, sequences, ready, markAll } = setUp(1, 1, 2);
    markAll();
    for (const each of [0, 0]) if (sequences[each] !== undefined) groups.leave(sequences[each]);
    expect(ready()).toEqual([[1]]);
  });

  it("names a group that does not exist", () => {
    expect(() => new Groups(2, 2).ready(5)).toThrow("Group 5 does not exist: there are 2.");
  });
});

describe("chooseGroupCount", () => {
  it.each([
    { stages: 1, sequences: 8, overheadMs: 0, count: 1, why: "8 in 49 ms, twice 4 in 50" },
    { stages: 1, sequences: 8, overheadMs: 6, count: 2, why: "the stage must not wait for the way back" },
    { stages: 2, sequences: 8, overheadMs: 0, count: 2, why: "4 are cheap" },
    { stages: 2, sequences: 2, overheadMs: 0, count: 2, why: "2 in one step are dear" },
    { stages: 2, sequences: 16, overheadMs: 40, count: 3, why: "the third fills what the way back leaves idle" },
    { stages: 2, sequences: 0, overheadMs: 0, count: 2, why: "as for one sequence" },
  ])("$stages stages, $sequences sequences, $overheadMs ms between: $count ($why)", (example) => {
    const { stages, sequences, overheadMs, count } = example;
    const costs = measuredCosts(stages, overheadMs);
    expect(chooseGroupCount({ stages, sequences, goesAhead: false, costs, current: stages })).toBe(count);
  });

  it.each([
    { overheadMs: 6, count: 1, why: "the second step fills the way back" },
    { overheadMs: 400, count: 1, why: "two groups have no more steps on the way" },
  ])("on a stage that goes ahead, with $overheadMs ms between: $count ($why)", ({ overheadMs, count }) => {
    const costs = measuredCosts(1, overheadMs);
    expect(chooseGroupCount({ stages: 1, sequences: 8, goesAhead: true, costs, current: 1 })).toBe(count);
  });

  it("takes one group per stage while nothing is measured", () => {
    expect(chooseGroupCount({ stages: 3, sequences: 9, goesAhead: false, costs: new StepCosts(), current: 1 })).toBe(3);
  });

  it.each([
    { stages: 1, current: 2, count: 1, why: "one group per stage need only be as good: 99 ms against 100" },
    { stages: 3, current: 2, count: 2, why: "one group would be 1 % better, less than 1.5 %" },
    { stages: 3, current: 1, count: 1, why: "two groups are no better" },
  ])("with $stages stages and $current groups: $count ($why)", ({ stages, current, count }) => {
    const costs = new StepCosts();
    const idle = Array<number>(stages - 1).fill(0);
    costs.observe(4, { stageMs: [50, ...idle], overheadMs: 0 });
    costs.observe(8, { stageMs: [99, ...idle], overheadMs: 0 });
    expect(chooseGroupCount({ stages, sequences: 8, goesAhead: false, costs, current })).toBe(count);
  });
});
