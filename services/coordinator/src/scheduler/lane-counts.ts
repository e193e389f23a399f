import type { Lane } from "@rhone/common";
import type { Sequence } from "./sequence.js";

export interface LaneCount {
  running: number;
  waiting: number;
  /** Unix milliseconds of the oldest arrival among those that wait; null: none waits. */
  oldestMs: number | null;
}

export type LaneCounts = Readonly<Record<Lane, LaneCount>>;

const nothing = (): LaneCount => ({ running: 0, waiting: 0, oldestMs: null });

/** Sequences by lane. */
export function countLanes(running: Iterable<Sequence>, waiting: Iterable<Sequence>): LaneCounts {
  const lanes = { interactive: nothing(), batch: nothing() };
  for (const { job } of running) lanes[job.lane].running++;
  for (const { job } of waiting) {
    const lane = lanes[job.lane];
    lane.waiting++;
    lane.oldestMs = Math.min(lane.oldestMs ?? Number.POSITIVE_INFINITY, job.arrivedAtMs);
  }
  return lanes;
}
