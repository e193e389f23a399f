import { type StageWork, type StepCurve, stageMs } from "./step-curve.js";

/** A stage's work and its worker's speed. */
export interface StageTimes extends StageWork {
  readonly curve: StepCurve;
}

/** The measured stages of a pipeline, in order. */
export type PipelineTimes = readonly StageTimes[];

/** Milliseconds of the slowest stage for a step of `rows` decode rows: the beat of a full pipeline. */
export function slowestStageMs(stages: PipelineTimes, rows: number): number {
  return Math.max(0, ...stages.map((stage) => stageMs(stage.curve, stage, rows)));
}

/** Milliseconds that all stages together take for a step of `rows` decode rows, hops between them not included. */
export function sumOfStagesMs(stages: PipelineTimes, rows: number): number {
  return stages.reduce((sum, stage) => sum + stageMs(stage.curve, stage, rows), 0);
}

export interface GroupSize {
  /** Rows of each of these groups. */
  readonly rows: number;
  readonly count: number;
}

/**
 * Divides `sequences`, at least one, among at most `groups` groups as evenly as possible, the largest groups first:
 * 16 sequences in 3 groups are 6, 5 and 5, so [{ rows: 6, count: 1 }, { rows: 5, count: 2 }].
 */
export function groupSizes(sequences: number, groups: number): readonly [GroupSize, ...GroupSize[]] {
  const least = Math.floor(sequences / groups);
  const larger = sequences % groups;
  if (larger === 0) return [{ rows: least, count: groups }];
  const first = { rows: least + 1, count: larger };
  return least === 0 ? [first] : [first, { rows: least, count: groups - larger }];
}
