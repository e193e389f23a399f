import { expect, test, vi } from "vitest";
import type { SequenceSampler } from "../sampling/sequence-sampler.js";
import { sequenceOpen } from "../testing/steps.js";
import type { SequenceOpen } from "../wire/step.js";
import { OpenSequences } from "./open-sequences.js";

const opens = (...sequences: readonly number[]) => sequences.map((sequence) => sequenceOpen({ sequence }));

/** Samplers that only tell whether they are closed; sequence 9 gets none. */
function openTracked() {
  const closed: number[] = [];
  const openSampler = vi.fn(async ({ sequence }: SequenceOpen) => {
    if (sequence === 9) throw new Error("no grammar");
    return { close: () => closed.push(sequence) } as unknown as SequenceSampler;
  });
  return { sequences: new OpenSequences(32, openSampler), closed };
}

test("sequences open with an empty page table and a sampler, and close with it", async () => {
  const { sequences, closed } = openTracked();
  await sequences.open(opens(1, 2));
  expect(sequences.get(1)?.table.length).toBe(0);
  sequences.get(1)?.table.append([7, 8]);
  expect(sequences.get(1)?.table.length).toBe(2);
  sequences.close(1);
  expect([sequences.get(1), closed]).toEqual([undefined, [1]]);
  sequences.closeAll();
  expect([sequences.get(2), closed]).toEqual([undefined, [1, 2]]);
});

test("when one of a step's samplers cannot be made, none of its sequences opens", async () => {
  const { sequences, closed } = openTracked();
  await sequences.open(opens(1));
  await expect(sequences.open(opens(2, 3, 9, 4))).rejects.toThrow("no grammar");
  expect([1, 2, 3, 4].filter((sequence) => sequences.get(sequence) !== undefined)).toEqual([1]);
  expect(closed).toEqual([2, 3]);
});

test("a stage without the head keeps no samplers", async () => {
  const sequences = new OpenSequences(32, async () => null);
  await sequences.open(opens(1));
  expect(sequences.get(1)?.sampler).toBeNull();
  sequences.close(1);
  sequences.close(1);
  expect(sequences.get(1)).toBeUndefined();
});
