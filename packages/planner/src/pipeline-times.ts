import { type StageWork, type StepCurve, stageMs } from "./step-curve.js";

/** One stage: what it holds, and how fast its worker is. */
export interface StageTimes extends StageWork {
  readonly curve: StepCurve;
}

/** The measured stages of a pipeline, in order. */
export type PipelineTimes = readonly StageTimes[];

/** Milliseconds that the slowest stage takes for a step of `rows` decode rows: the beat of a full pipeline. */
export function slowestStageMs(stages: PipelineTimes, rows: number): number {
  return Math.max(0, ...stages.map((stage) => stageMs(stage.curve, stage, rows)));
}

/** Milliseconds that a step of `rows` decode rows spends in all stages together; hops come on top. */
export function sumOfStagesMs(stages: PipelineTimes, rows: number): number {
  return stages.reduce((sum, stage) => sum + stageMs(stage.curve, stage, rows), 0);
}
