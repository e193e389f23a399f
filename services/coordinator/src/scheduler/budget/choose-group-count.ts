import type { StepCosts } from "./step-costs.js";

/** Another count must be so much better: sequences that move between groups miss a turn. */
const GAIN = 0.985;
/** One group per stage need only be as good: stages that work at the same time even out each other's delays. */
const EQUAL = 1.01;

/**
 * How many micro-batches `sequences` decoding sequences should be split into, 1 to stages + 1: the count of the shortest cycle,
 * in which every sequence gets one token. `current` stays unless another count is clearly better.
 *
 * Slowest stage 10 ms for 4 rows and 18 ms for 8, two stages, 1 ms between: 2 groups of 4 take max(20, 21) = 21 ms,
 * one of 8 takes max(18, 37) = 37 ms.
 */
export function chooseGroupCount(options: {
  readonly sequences: number;
  readonly stages: number;
  readonly costs: StepCosts;
  readonly current: number;
}): number {
  const { sequences, stages, costs, current } = options;
  if (!costs.known) return stages;
  const cycleMs = (groups: number): number => costs.cycle(Math.max(1, sequences), groups);
  let best = Math.min(current, stages + 1);
  for (let groups = 1; groups <= stages + 1; groups++) {
    if (groups !== best && cycleMs(groups) < cycleMs(best) * (groups === stages ? EQUAL : GAIN)) best = groups;
  }
  return best;
}
