import type { GenerationJob } from "@rhone/common";
import { StepCosts } from "../scheduler/budget/step-costs.js";
import type { PlannedSpan } from "../scheduler/micro-batch.js";
import { Sequence } from "../scheduler/sequence.js";
import { fakeJob } from "./fake-job.js";

/** The worked example of docs/scheduler.md: 2 stages, 8 pages of 4 positions, at most 8 rows per step. */
export const shape = { pageSize: 4, slidingWindow: 0, contextLength: 24, maxRows: 8 };
export const pipeline = { stages: 2, pages: 8, stepTimes: null, rowBlock: 1 };
/** Stages that do not say what they take: one group per stage, and prompts get all the room that there is. */
export const noTimes = { stageMs: [], overheadMs: 0 };

export const nameOf = ({ sequence }: PlannedSpan): string => sequence.job.requestId;

let arrivals = 0;

/** A waiting sequence that arrives after all made before it. `promptIds` defaults to [1, 2, … promptLength]. */
export function fakeSequence(
  overrides: Partial<GenerationJob> & { readonly promptLength?: number; readonly generated?: readonly number[] } = {},
): Sequence {
  const { promptLength = 4, generated = [], ...job } = overrides;
  const promptIds = Array.from({ length: promptLength }, (_, index) => index + 1);
  const arrival = arrivals++;
  return new Sequence({ job: fakeJob({ requestId: `request ${arrival}`, promptIds, ...job }), generated, arrival });
}

/** Repacked Q4_0 on two threads, four layers of 7B: milliseconds by rows. */
const Q4_0_CURVE = [
  [1, 15],
  [2, 28],
  [4, 25],
  [8, 49],
  [16, 70],
  [32, 141],
] as const;

/**
 * The costs that `stages` stages on that curve have shown in 50 steps of each size. Kernels compute blocks of 32 rows.
 */
export function measuredCosts(stages: number, overheadMs = 0): StepCosts {
  const costs = new StepCosts(null, 32);
  for (const [rows, ms] of Q4_0_CURVE) {
    for (let step = 0; step < 50; step++) costs.observe(rows, { stageMs: Array(stages).fill(ms), overheadMs });
  }
  return costs;
}
