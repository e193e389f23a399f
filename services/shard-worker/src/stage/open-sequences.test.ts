import { RhoneError } from "@rhone/common";
import type { TokenMatcher } from "@rhone/grammar";
import { expect, test } from "vitest";
import type { SequenceSampler } from "../sampling/sequence-sampler.js";
import { sequenceOpen, span } from "../testing/steps.js";
import type { SequenceReady } from "../wire/step.js";
import { OpenSequences } from "./open-sequences.js";

const opens = (...sequences: readonly number[]) => sequences.map((sequence) => sequenceOpen({ sequence }));
const constraint = { grammar: "root ::= [a]", trigger: null, otherwise: null, lastPosition: 9 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Samplers that only tell what is closed, "m" for a matcher; sequence 9 gets none. The test settles preparations. */
function openTracked() {
  const closed: (number | string)[] = [];
  const ready: SequenceReady[] = [];
  const preparing = new Map<number, { readonly settle: (error?: Error) => void; readonly signal: AbortSignal }>();
  const sequences = new OpenSequences(32, {
    open: ({ sequence }, matcher) => {
      if (sequence === 9) throw new Error("no sampler");
      const close = () => closed.push(...(matcher === null ? [] : ["m"]), sequence);
      return { close } as unknown as SequenceSampler;
    },
    prepare: ({ sequence }, signal) =>
      new Promise<TokenMatcher>((resolve, reject) => {
        const matcher = { close: () => closed.push("m") } as unknown as TokenMatcher;
        const settle = (error?: Error): void => (error === undefined ? resolve(matcher) : reject(error));
        preparing.set(sequence, { settle, signal });
      }),
  });
  sequences.reset((one) => ready.push(one));
  return { sequences, closed, ready, preparing };
}

test("sequences open with an empty page table and a sampler, and close with it", () => {
  const { sequences, closed } = openTracked();
  sequences.open(opens(1, 2));
  expect(sequences.get(1)?.table.length).toBe(0);
  sequences.get(1)?.table.append([7, 8]);
  expect(sequences.get(1)?.table.length).toBe(2);
  sequences.close(1);
  expect([sequences.get(1), closed]).toEqual([undefined, [1]]);
  sequences.closeAll();
  expect([sequences.get(2), closed]).toEqual([undefined, [1, 2]]);
});

test("when one of a step's samplers cannot be made, none of its sequences opens", () => {
  const { sequences, closed, preparing } = openTracked();
  sequences.open(opens(1));
  expect(() => sequences.open([sequenceOpen({ sequence: 5, constraint }), ...opens(2, 3, 9, 4)])).toThrow("no sampler");
  expect([1, 2, 3, 4, 5].filter((sequence) => sequences.get(sequence) !== undefined)).toEqual([1]);
  expect(closed).toEqual([2, 3]);
  expect(preparing.size).toBe(0);
});

test("a stage without the head keeps no samplers and prepares no grammars", () => {
  const sequences = new OpenSequences(32, null);
  sequences.open([sequenceOpen({ sequence: 1, constraint })]);
  expect(sequences.get(1)?.sampler).toBeNull();
  sequences.close(1);
  sequences.close(1);
  expect(sequences.get(1)).toBeUndefined();
});

test("a constrained sequence is open at once, and has its sampler when its grammar is prepared", async () => {
  const { sequences, closed, ready, preparing } = openTracked();
  sequences.open([sequenceOpen({ sequence: 1, constraint })]);
  expect([sequences.get(1)?.sampler, ready]).toEqual([null, []]);
  preparing.get(1)?.settle();
  await turn();
  expect(sequences.get(1)?.sampler).not.toBeNull();
  expect(ready).toEqual([{ sequence: 1, error: null }]);
  sequences.close(1);
  expect(closed).toEqual(["m", 1]);
});

test("a refused grammar is told with its error, and one without a sampler too", async () => {
  const { sequences, ready, preparing } = openTracked();
  sequences.open([sequenceOpen({ sequence: 1, constraint }), sequenceOpen({ sequence: 9, constraint })]);
  preparing.get(1)?.settle(new RhoneError("STAGE_FAILED", "refused"));
  preparing.get(9)?.settle();
  await turn();
  expect(ready).toEqual([
    { sequence: 1, error: expect.objectContaining({ code: "STAGE_FAILED", message: "refused" }) },
    { sequence: 9, error: expect.objectContaining({ code: "INTERNAL" }) },
  ]);
});

test.each(["close", "reset"] as const)("%s while a grammar is prepared ends that, and nobody is told", async (how) => {
  const { sequences, closed, ready, preparing } = openTracked();
  const all = [1, 2].map((sequence) => sequenceOpen({ sequence, constraint }));
  sequences.open(all);
  if (how === "close") for (const { sequence } of all) sequences.close(sequence);
  else sequences.reset((one) => ready.push(one));
  expect(preparing.get(1)?.signal.aborted).toBe(true);
  preparing.get(1)?.settle();
  preparing.get(2)?.settle(new Error("late"));
  await turn();
  expect([ready, closed]).toEqual([[], ["m"]]);
});

test("a sequence has the last token of its last span, until a span draws none", () => {
  const { sequences } = openTracked();
  sequences.open(opens(1));
  expect(sequences.get(1)?.drawn).toBeNull();
  const scores = [70, 71].map((token) => ({ token, logprob: null, top: [] }));
  sequences.drew(span({ position: 4, count: 3, drafts: 2, sample: true }), { tokens: scores, error: null });
  expect(sequences.get(1)?.drawn).toEqual({ token: 71, position: 6 });
  sequences.drew(span({ position: 6, count: 2 }), { tokens: [], error: null });
  expect(sequences.get(1)?.drawn).toBeNull();
});

test("a sequence whose draw has failed goes on with token 0, and draws nothing any more", () => {
  const { sequences } = openTracked();
  sequences.open(opens(1, 2));
  const error = new RhoneError("STAGE_FAILED", "late");
  sequences.drew(span({ position: 4, sample: true }), { tokens: [], error });
  expect(sequences.get(1)?.drawn).toEqual({ token: 0, position: 5 });
  expect(() => sequences.sampler(1)).toThrow(error);
  expect(sequences.sampler(2)).toBe(sequences.get(2)?.sampler);
  expect(() => sequences.sampler(3)).toThrow("sequence 3 can't draw: the step was not checked");
});
