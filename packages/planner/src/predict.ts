import { groupSizes, slowestStageMs, sumOfStagesMs } from "./pipeline-times.js";
import { type StageWork, type StepCurve, stageMs } from "./step-curve.js";

/** A pipeline's stage with its worker's measurements. */
export interface PredictedStage extends StageWork {
  readonly curve: StepCurve;
  /** One row while the machine's other workers are idle. */
  readonly alone: StepCurve;
}

/** Milliseconds of a frame from one process to the next on one machine; S stages have S + 1 hops. */
const HOP_MS = 1;

/** Milliseconds of a step of `rows` rows on a link. */
export type LinkTime = (rows: number) => number;

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
 * through all stages. The best g of 1 to stages + 1 counts. Prompts are left out. `linkMs`: milliseconds that the
 * activations of a step of some rows take from one stage to the next, on a link that carries one step at a time.
 */
export function predict(stages: readonly PredictedStage[], streams: number, linkMs: LinkTime = noTime): Prediction {
  const onTheWay = (rows: number) => hopsMs(stages) + (stages.length - 1) * linkMs(rows);
  if (streams === 1) return perCycle(streams, 1, aloneMs(stages) + onTheWay(1));
  const beat = (rows: number) => Math.max(slowestStageMs(stages, rows), stages.length > 1 ? linkMs(rows) : 0);
  const most = Math.min(streams, stages.length + 1);
  const choices = Array.from({ length: most }, (_, index) => {
    const sizes = groupSizes(streams, index + 1);
    const queued = sizes.reduce((ms, { rows, count }) => ms + count * beat(rows), 0);
    const through = sumOfStagesMs(stages, sizes[0].rows) + onTheWay(sizes[0].rows);
    return perCycle(streams, index + 1, Math.max(queued, through));
  });
  return choices.reduce((best, choice) => (choice.tokensPerSecond > best.tokensPerSecond ? choice : best));
}

const noTime: LinkTime = () => 0;

const hopsMs = (stages: readonly unknown[]): number => (stages.length + 1) * HOP_MS;

const aloneMs = (stages: readonly PredictedStage[]): number =>
  stages.reduce((sum, stage) => sum + stageMs(stage.alone, stage, 1), 0);

function perCycle(streams: number, groups: number, cycle: number): Prediction {
  return { streams, tokensPerSecond: (1000 * streams) / cycle, groups, rows: Math.ceil(streams / groups) };
}
