import { expect, test } from "vitest";
import { type ChaosRecord, failuresOf, figuresOf } from "./chaos-figures.js";
import type { JudgedStream } from "./load.js";
import { mergeFigures } from "./merge-figures.js";

const answer = {
  ...{ ids: [1, 2], text: "ab", logprobs: [], calls: [] },
  ...{ finish: "length", promptTokens: 1, completionTokens: 2 },
};
const question = { kind: "greedy", variant: 0, path: "/v1/completions", body: { seed: 7 } } as const;

/** One stream that waits for a fault for `ms`. */
function runOf(seed: number, name: string, ms: number, changes: Partial<ChaosRecord> = {}) {
  const story = { sentAt: 0, arrivals: [100, 100 + ms], endedAt: 200 + ms, breaks: 1, refusals: 0 };
  const stream: JudgedStream = { question, story: { ...story, end: { kind: "whole", answer } }, difference: null };
  const struck = [{ number: 1, name, target: "x", at: 101, until: 101 }];
  const facts = { seed, skipped: {}, endedBy: null, epochs: { seen: 2, last: [3] }, seconds: 60 };
  return figuresOf({ ...facts, streams: [stream], batches: [], struck, ...changes });
}

test("runs of several seeds have one table, with percentiles of all gaps of a kind", () => {
  const merged = mergeFigures([
    runOf(1, "kill worker", 1000),
    runOf(2, "kill worker", 3000),
    runOf(3, "stop gateway", 500, { skipped: { link: "no ss" } }),
  ]);
  expect(merged.faults).toMatchObject([
    { name: "kill worker", times: 2, streams: 2, gapMs: { p50: 2000, p95: 2900, max: 3000 } },
    { name: "stop gateway", times: 1, streams: 1, gapMs: { max: 500 } },
  ]);
  expect(merged).toMatchObject({ seeds: [1, 2, 3], streams: { greedy: 3 }, tokens: 6, breaks: 3, seconds: 180 });
  expect(merged.longest.map(({ ms }) => ms)).toEqual([3000, 1000, 500]);
  expect([merged.skipped, failuresOf(merged)]).toEqual([{ link: "no ss" }, []]);
});

test("what went wrong in one run is wrong in all, and says in which", () => {
  const merged = mergeFigures([
    runOf(1, "kill worker", 1000),
    runOf(2, "kill worker", 1000, { endedBy: "gateway has not come back" }),
  ]);
  expect(failuresOf(merged)).toEqual(["seed 2: gateway has not come back"]);
});
