import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { type PredictedStage, type Prediction, predict, sumOfStagesMs } from "@rhone/planner";

/** One stage of a plan; plain data, fit for JSON. */
export interface PlannedStage {
  /** Layers [first, last). */
  readonly first: number;
  readonly last: number;
  readonly heads: boolean;
  readonly weightBytes: number;
  readonly pageBytes: number;
  /** Bytes that its worker may use. */
  readonly memoryTotal: number;
  /** Predicted milliseconds of a step of one row. */
  readonly rowMs: number;
}

/** A number of workers, their stages and their predicted speed. */
export interface PlannedShape {
  readonly workers: number;
  readonly threads: number;
  /** What the workers compute with: "ggml", or Rhone's own kernels by name; several where they differ. */
  readonly kernels: string;
  readonly stages: readonly PlannedStage[];
  readonly pages: number;
  readonly pageSize: number;
  readonly predictions: readonly Prediction[];
}

export interface PlanReport {
  readonly model: string;
  readonly kvType: string;
  readonly contextLength: number;
  readonly shape: PlannedShape;
  /** The same machine with one worker that has all threads; null when `shape` is that, or it could not be timed. */
  readonly single: PlannedShape | null;
  /** Why one worker is impossible; null otherwise. */
  readonly singleRefused: string | null;
}

/** Predictions are off by some per cent: a smaller gain is no reason to recommend a shape. */
const CLEARLY = 1.15;

/** Single worker's speed over the speed of `shape`, by number of streams; null unless one of them is a clear gain. */
export function singleGains({ shape, single }: PlanReport): readonly number[] | null {
  const gains = (single?.predictions ?? []).map(
    ({ tokensPerSecond }, index) => tokensPerSecond / (shape.predictions[index]?.tokensPerSecond ?? tokensPerSecond),
  );
  return gains.some((gain) => gain >= CLEARLY) ? gains : null;
}

/** The running cluster's plan, with predictions from its workers' measurements; null while there are none. */
export function reportRunning(status: ClusterStatus, streams: readonly number[]): PlanReport | null {
  const holders = status.workers.filter(({ layers }) => layers !== null).sort(byLayers);
  const stages = holders.flatMap((worker, index) => predictedStage(worker, index === holders.length - 1));
  if (stages.length === 0 || stages.length < holders.length) return null;
  const shape = {
    workers: holders.length,
    threads: holders[0]?.threads ?? 1,
    kernels: [...new Set(holders.map(({ kernels = "ggml" }) => kernels))].join(", "),
    stages: holders.map((worker, index) => ({
      first: worker.layers?.[0] ?? 0,
      last: worker.layers?.[1] ?? 0,
      heads: index === holders.length - 1,
      weightBytes: worker.totalBytes,
      pageBytes: worker.pageBytes,
      memoryTotal: worker.memoryTotal,
      rowMs: sumOfStagesMs(stages.slice(index, index + 1), 1),
    })),
    pages: status.pages.total,
    pageSize: status.pages.size,
    predictions: streams.map((count) => predict(stages, Math.min(count, status.sequences.limit))),
  };
  const { name, contextLength } = status.model;
  return { model: name, kvType: status.kvType, contextLength, shape, single: null, singleRefused: null };
}

const byLayers = (a: WorkerStatus, b: WorkerStatus): number => (a.layers?.[0] ?? 0) - (b.layers?.[0] ?? 0);

function predictedStage({ layers, stepTimes }: WorkerStatus, heads: boolean): readonly PredictedStage[] {
  if (layers === null || stepTimes === null) return [];
  return [{ ...stepTimes, layers: layers[1] - layers[0], heads }];
}
