import { groupSizes, type PipelineTimes, slowestStageMs, sumOfStagesMs } from "./pipeline-times.js";
import { type StageWork, type StepCurve, stageMs } from "./step-curve.js";

/** A pipeline's stage with its worker's measurements. */
export interface PredictedStage extends StageWork {
  readonly curve: StepCurve;
  /** One row while the machine's other workers are idle. */
  readonly alone: StepCurve;
}

/** Milliseconds of a frame from one process to the next on one machine; S stages have S + 1 hops. */
const HOP_MS = 1;

export interface Prediction {
  readonly streams: number;
  readonly tokensPerSecond: number;
  /** Micro-batches in flight at a time, and the rows of the largest. */
  readonly groups: number;
  readonly rows: number;
}

/**
 * Tokens per second that `streams` decoding sequences get together. They form g groups, which cross the stages one
 * behind the other: a cycle lasts until the slowest stage has run every group, and at least as long as one group takes
 * through all stages. The best g of 1 to stages + 1 counts. Prompts are left out.
 */
export function predict(stages: readonly PredictedStage[], streams: number): Prediction {
  if (streams === 1) return perCycle(streams, 1, aloneMs(stages) + hopsMs(stages));
  const most = Math.min(streams, stages.length + 1);
  const choices = Array.from({ length: most }, (_, index) => {
    const groups = index + 1;
    return perCycle(streams, groups, cycleMs(stages, streams, groups));
  });
  return choices.reduce((best, choice) => (choice.tokensPerSecond > best.tokensPerSecond ? choice : best));
}

function cycleMs(stages: PipelineTimes, streams: number, groups: number): number {
  const sizes = groupSizes(streams, groups);
  const queued = sizes.reduce((ms, { rows, count }) => ms + count * slowestStageMs(stages, rows), 0);
  return Math.max(queued, sumOfStagesMs(stages, sizes[0].rows) + hopsMs(stages));
}

const hopsMs = (stages: readonly unknown[]): number => (stages.length + 1) * HOP_MS;

const aloneMs = (stages: readonly PredictedStage[]): number =>
  stages.reduce((sum, stage) => sum + stageMs(stage.alone, stage, 1), 0);

function perCycle(streams: number, groups: number, cycle: number): Prediction {
  return { streams, tokensPerSecond: (1000 * streams) / cycle, groups, rows: Math.ceil(streams / groups) };
}
