import { describe, expect, it } from "vitest";
import { fakeSequence } from "../../testing/scheduling.js";
import { StepCosts } from "../budget/step-costs.js";
import type { Sequence } from "../sequence.js";
import { Speculation } from "./speculation.js";

const REPEATS = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2];
const repetitive = (maxTokens = 100): Sequence => fakeSequence({ promptIds: REPEATS, maxTokens });

/** One stage on which a step takes 10 ms and `rowMs` per row. */
function costsOf(rowMs: number): StepCosts {
  const costs = new StepCosts();
  for (const rows of [1, 2, 4, 8, 16, 32, 64]) costs.observe(rows, { stageMs: [10 + rows * rowMs], overheadMs: 0 });
  return costs;
}

const open = ({ maxDrafts = 4, contextLength = 1000 } = {}) => new Speculation({ maxDrafts, contextLength });

/** The drafts of each sequence. */
function choose(sequences: readonly Sequence[], rowMs: number, speculation = open()): readonly (readonly number[])[] {
  const drafts = speculation.choose(sequences, { groups: 1, costs: costsOf(rowMs) });
  return sequences.map((sequence) => drafts.get(sequence) ?? []);
}

describe("Speculation", () => {
  it("drafts what the text repeats while rows are cheap", () => {
    expect(choose([repetitive()], 0.01)).toEqual([[3, 4, 1, 2]]);
  });

  it("drafts nothing when a row costs as much as a step", () => {
    expect(choose([repetitive()], 100)).toEqual([[]]);
  });

  it("drafts everything while nothing is measured", () => {
    const sequence = repetitive();
    expect(open().choose([sequence], { groups: 1, costs: new StepCosts() }).get(sequence)).toEqual([3, 4, 1, 2]);
  });

  it("prefers the sequence whose drafts were right lately", () => {
    const [good, bad] = [repetitive(), repetitive()];
    const speculation = open();
    for (let step = 0; step < 40; step++) {
      speculation.learn(good, 4, 4);
      speculation.learn(bad, 0, 4);
    }
    expect(choose([bad, good], 0.5, speculation)).toEqual([[], [3, 4, 1, 2]]);
  });

  it("tries a sequence again some steps after its drafts were wrong", () => {
    const sequence = repetitive();
    const speculation = open();
    for (let step = 0; step < 40; step++) speculation.learn(sequence, 0, 4);
    expect(choose([sequence], 0.5, speculation)).toEqual([[]]);
    let steps = 0;
    while (choose([sequence], 0.5, speculation)[0]?.length === 0) steps++;
    expect(steps).toBeGreaterThan(5);
    expect(steps).toBeLessThan(100);
  });

  it("never drafts past the end of the answer or the context", () => {
    expect(choose([repetitive(3)], 0.01)).toEqual([[3, 4]]);
    expect(choose([repetitive(1)], 0.01)).toEqual([[]]);
    expect(choose([repetitive()], 0.01, open({ contextLength: 11 }))).toEqual([[3]]);
  });

  it("adds no drafts to steps of more than 16 sequences, or when it is off", () => {
    expect(
      choose(
        Array.from({ length: 17 }, () => repetitive()),
        0.01,
      ).flat(),
    ).toEqual([]);
    expect(choose([repetitive()], 0.01, open({ maxDrafts: 0 }))).toEqual([[]]);
  });
});
