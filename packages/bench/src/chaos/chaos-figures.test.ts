import { describe, expect, it } from "vitest";
import type { Answer } from "./answer.js";
import type { BatchStory } from "./asked-batch.js";
import type { StreamEnd } from "./asked-stream.js";
import { type ChaosRecord, failuresOf, figuresOf } from "./chaos-figures.js";
import { differenceOf } from "./judge.js";
import type { JudgedStream } from "./load.js";

const known: Answer = {
  ...{ ids: [1, 2, 3, 4, 5, 6, 7, 8, 9], text: "abcdefghi", logprobs: [], calls: [] },
  ...{ finish: "length", promptTokens: 3, completionTokens: 9 },
};
const question = { kind: "greedy", variant: 2, path: "/v1/completions", body: { seed: 77 } } as const;
const whole = (answer: Answer): StreamEnd => ({ kind: "whole", answer });

/** A stream from 0 to 3 s that waited for 2 s. */
const streamOf = (end: StreamEnd): JudgedStream => ({
  question,
  story: { sentAt: 0, arrivals: [500, 2500, 2510], endedAt: 3000, breaks: 1, refusals: 2, end },
  difference: end.kind === "whole" ? differenceOf(known, end.answer) : null,
});
const struck = [{ number: 1, name: "kill worker", target: "worker-1", at: 1000, until: 1000 }];
const CALM: ChaosRecord = {
  ...{ seed: 1, skipped: {}, endedBy: null, epochs: { seen: 2, last: [2] }, seconds: 3 },
  ...{ streams: [streamOf(whole(known))], batches: [], struck },
};
const judged = (changes: object): BatchStory => ({
  kind: "judged",
  seconds: 1,
  judgement: { lines: 4, lost: [], doubled: [], failed: [], wrong: [], ...changes },
});
const failuresWith = (changes: Partial<ChaosRecord>) => failuresOf(figuresOf({ ...CALM, ...changes }));

describe("figuresOf", () => {
  it("has the gaps of each kind of fault, and what was asked", () => {
    const figures = figuresOf({ ...CALM, batches: [judged({})] });
    expect(figures.faults).toEqual([
      {
        ...{ name: "kill worker", times: 1, gapMs: { p50: 2000, p95: 2000, max: 2000 }, gapsMs: [2000] },
        ...{ streams: 1, othersStreams: 0, othersMaxMs: null },
      },
    ]);
    const fault = "1: kill worker worker-1";
    expect(figures.longest).toEqual([{ question: "greedy 2", ms: 2000, fromMs: -500, fault, alone: true }]);
    expect(figures).toMatchObject({ streams: { greedy: 1 }, tokens: 9, breaks: 1, refusals: 2, batches: 1 });
    expect([figures.wrong, figures.badBatches, failuresOf(figures)]).toEqual([[], [], []]);
  });

  it("tells how to ask for a wrong stream again, and which faults it met", () => {
    const ids = known.ids.toSpliced(3, 2);
    const figures = figuresOf({ ...CALM, streams: [streamOf(whole({ ...known, ids }))] });
    expect(figures.wrong).toMatchObject([
      {
        ...{ question: "greedy 2", seed: 77, what: "lost", faults: ["1: kill worker worker-1"], endedMs: 2000 },
        difference: { field: "tokens", at: 3, count: 2 },
      },
    ]);
    expect([figures.tokensLost, figures.tokensDoubled]).toEqual([2, 0]);
  });
});

describe("failuresOf", () => {
  it.each([
    ["a lost token", { ids: known.ids.toSpliced(4, 1) }, "1 streams lost something"],
    ["a doubled token", { ids: known.ids.toSpliced(4, 0, 4) }, "1 streams have something twice"],
    ["a wrong token", { ids: known.ids.with(4, 99) }, "1 streams are wrong"],
    ["a wrong text", { text: "abcdefghx" }, "1 streams are wrong"],
  ])("fails for %s", (_, changes, failure) => {
    expect(failuresWith({ streams: [streamOf(whole({ ...known, ...changes }))] })).toEqual([failure]);
  });

  it.each([
    ["hung", "1 streams hung"],
    ["failed", "1 streams failed"],
  ] as const)("fails for a stream that %s", (kind, failure) => {
    expect(failuresWith({ streams: [streamOf({ kind, answer: known, why: "no token" })] })).toEqual([failure]);
  });

  it.each([
    ["a lost line", { lost: ["a"] }, "1 lines of batches are lost"],
    ["a doubled line", { doubled: ["a", "b"] }, "2 lines of batches are there twice"],
    ["a failed line", { failed: [{ id: "a", why: "" }] }, "1 lines of batches failed"],
  ])("fails for %s", (_, changes, failure) => {
    expect(failuresWith({ batches: [judged({}), judged(changes)] })).toEqual([failure]);
  });

  it("fails for a batch that hangs, and for a process that does not come back", () => {
    const hung: BatchStory = { kind: "hung", seconds: 9, lines: 4, why: "no line ended" };
    const failures = failuresWith({ batches: [hung], endedBy: "gateway has not come back" });
    expect(failures).toEqual(["a batch did not end: hung after 9 s: no line ended", "gateway has not come back"]);
  });
});
