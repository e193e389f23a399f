import { describe, expect, it } from "vitest";
import { measuredCosts } from "../../testing/scheduling.js";
import { PrefillBudget, type TargetItl } from "./prefill-budget.js";
import { StepCosts } from "./step-costs.js";

interface Case {
  readonly target?: TargetItl;
  readonly stages?: number;
  readonly decodeRows?: number;
  readonly room?: number;
  readonly framesInFlight?: number;
  readonly decoding?: number;
  readonly groups?: number;
  readonly requests?: number;
  readonly promptRows?: number;
  readonly burst?: boolean;
  readonly costs?: StepCosts;
}

/** Rows for a step on stages of the Q4_0 curve; one prompt of 512 rows waits, and nothing is in flight. */
function rowsFor(example: Case): number {
  const { target = "auto", stages = 1, decodeRows = 0, room = 512, framesInFlight = 0 } = example;
  const { decoding = decodeRows, groups = 1, requests = 1, promptRows = 512, burst = false } = example;
  const budget = new PrefillBudget({ target, stages, costs: example.costs ?? measuredCosts(stages) });
  return budget.rows({ decodeRows, room, framesInFlight }, { decoding, groups, requests, promptRows, burst });
}

describe("PrefillBudget, beside decode rows", () => {
  it.each<Case & { readonly rows: number; readonly why: string }>([
    { decodeRows: 16, rows: 9, why: "25 rows fit 1.6 x 70 ms" },
    { decodeRows: 1, rows: 3, why: "no row fits 24 ms, but 4 rows cost less than 2" },
    { decodeRows: 1, room: 2, rows: 2, why: "as before, with room for two" },
    { decodeRows: 1, room: 0, rows: 0, why: "no room" },
    { target: 141, decodeRows: 4, rows: 28, why: "32 rows take 140 ms" },
    { target: 141, decodeRows: 4, groups: 2, rows: 12, why: "two steps per cycle share the 141 ms" },
    { target: "off", decodeRows: 4, rows: 512, why: "no limit" },
    { decodeRows: 4, costs: new StepCosts(), rows: 512, why: "nothing is measured" },
    { decodeRows: 1, requests: 12, rows: 27, why: "12 requests beside one stream get 0.6 x 15 ms each" },
    { decodeRows: 1, burst: true, rows: 31, why: "a burst gets 12 x 15 ms: 44 rows, so one block of 32" },
  ])("$rows rows: $why", ({ rows, ...example }) => expect(rowsFor(example)).toBe(rows));
});

describe("PrefillBudget, between decode steps", () => {
  it.each<Case & { readonly rows: number; readonly why: string }>([
    { stages: 2, decoding: 1, rows: 0, why: "not even one row fits 0.6 x 15 ms" },
    { stages: 2, decoding: 16, rows: 6, why: "6 rows fit 0.6 x 70 ms" },
    { stages: 2, decoding: 16, framesInFlight: 2, rows: 0, why: "both stages have work" },
    { stages: 2, decoding: 16, groups: 2, rows: 4, why: "4 rows fit 0.6 x 49 ms, the time of 8" },
    { target: 200, stages: 2, decoding: 16, rows: 16, why: "130 ms are left, chunks have 16 rows" },
    { target: 60, stages: 2, decoding: 16, rows: 0, why: "the streams need more than the target themselves" },
    { target: "off", stages: 2, decoding: 16, rows: 16, why: "no limit but the chunk" },
  ])("$rows rows: $why", ({ rows, ...example }) => expect(rowsFor({ promptRows: 64, ...example })).toBe(rows));
});

describe("PrefillBudget, when nothing decodes", () => {
  it.each<Case & { readonly rows: number; readonly why: string }>([
    { stages: 1, promptRows: 64, rows: 512, why: "one stage: the whole room" },
    { stages: 2, promptRows: 64, rows: 16, why: "4 chunks take 5 x 70 ms, one takes 2 x 280" },
    { stages: 4, promptRows: 2000, rows: 125, why: "at most 16 chunks" },
    { stages: 4, promptRows: 5, rows: 5, why: "shorter than the shortest chunk" },
    { stages: 2, promptRows: 64, framesInFlight: 2, rows: 16, why: "a chunk waits before each stage" },
    { stages: 2, promptRows: 64, framesInFlight: 3, rows: 0, why: "one frame more than stages is enough" },
    { stages: 2, promptRows: 64, costs: new StepCosts(), rows: 512, why: "nothing is measured" },
  ])("$rows rows: $why", ({ rows, ...example }) => expect(rowsFor(example)).toBe(rows));
});
