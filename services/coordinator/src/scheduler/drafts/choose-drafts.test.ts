import { describe, expect, it } from "vitest";
import { fakeJob } from "../../testing/fake-job.js";
import { StepCosts } from "../budget/step-costs.js";
import { Sequence } from "../sequence.js";
import { chooseDrafts } from "./choose-drafts.js";

const REPEATS = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2];

function sequenceOf(promptIds: readonly number[], maxTokens = 100): Sequence {
  const job = fakeJob({ requestId: "r", promptIds: [...promptIds], maxTokens });
  return new Sequence({ job, generated: [], arrival: 0, pageSize: 4 });
}

/** A pipeline of one stage on which each row costs `rowMs` beside 10 ms. */
function costsOf(rowMs: number): StepCosts {
  const costs = new StepCosts();
  for (const rows of [1, 2, 4, 8, 16, 32, 64]) costs.observe(rows, [10 + rows * rowMs], 0);
  return costs;
}

const options = { most: 4, groups: 1, contextLength: 1000 };
const choose = (sequences: readonly Sequence[], rowMs: number, more = {}): readonly (readonly number[])[] => {
  const drafts = chooseDrafts(sequences, { ...options, ...more, costs: costsOf(rowMs) });
  return sequences.map((sequence) => drafts.get(sequence) ?? []);
};

describe("chooseDrafts", () => {
  it("takes what the text repeats while rows are cheap", () => {
    expect(choose([sequenceOf(REPEATS)], 0.01)).toEqual([[3, 4, 1, 2]]);
  });

  it("takes none when a row costs as much as a step", () => {
    expect(choose([sequenceOf(REPEATS)], 100)).toEqual([[]]);
  });

  it("prefers the sequence whose drafts were right lately", () => {
    const [good, bad] = [sequenceOf(REPEATS), sequenceOf(REPEATS)];
    for (let n = 0; n < 40; n++) {
      good.drafts.learn(4, 4);
      bad.drafts.learn(0, 4);
    }
    expect(choose([bad, good], 0.5)).toEqual([[], [3, 4, 1, 2]]);
  });

  it("never goes past the end of the answer or the context", () => {
    expect(choose([sequenceOf(REPEATS, 3)], 0.01)).toEqual([[3, 4]]);
    expect(choose([sequenceOf(REPEATS, 1)], 0.01)).toEqual([[]]);
    expect(choose([sequenceOf(REPEATS)], 0.01, { contextLength: 11 })).toEqual([[3]]);
  });

  it("leaves full steps alone", () => {
    const many = Array.from({ length: 17 }, () => sequenceOf(REPEATS));
    expect(choose(many, 0.01).flat()).toEqual([]);
  });
});
