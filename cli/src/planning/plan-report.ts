import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { type PredictedStage, type Prediction, predict, sumOfStagesMs } from "@rhone/planner";
import { disturbanceOf } from "./disturbance.js";
import { linkTime, type PlannedActivations, planActivations } from "./plan-activations.js";

/** One stage of a plan; plain data, fit for JSON. */
export interface PlannedStage {
  /** Layers [first, last). */
  readonly first: number;
  readonly last: number;
  readonly heads: boolean;
  readonly weightBytes: number;
  readonly pageBytes: number;
  /** Bytes that its worker may use, and where they come from, in words; absent: it is not known. */
  readonly memoryTotal: number;
  readonly memoryFrom?: string;
  /** Predicted milliseconds of a step of one row. */
  readonly rowMs: number;
  /** What it holds beyond its own layers; absent: nothing, and nothing was asked for. */
  readonly spare?: PlannedSpare;
}

/** Layers that a worker holds so that it can serve them at once. */
export interface PlannedSpare {
  /** [first, last) each. */
  readonly layers: readonly (readonly [number, number])[];
  readonly bytes: number;
  /** Bytes of memory that one more spare shard would need; null: none is lacking. */
  readonly needed: number | null;
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
  /** Null for a single worker, and where a coordinator of another version does not say. */
  readonly activations: PlannedActivations | null;
  readonly shape: PlannedShape;
  /** The same machine with one worker that has all threads; null when `shape` is that, or it could not be timed. */
  readonly single: PlannedShape | null;
  /** Why one worker is impossible; null otherwise. */
  readonly singleRefused: string | null;
  /** Why this number of workers, where nobody asked for one; null otherwise. */
  readonly why: string | null;
  /** The type of random weights that were timed, because the model's file is not there; null otherwise. */
  readonly randomType: string | null;
  /** Share of the time in which other processes had the cores while layers were timed; null where it is no matter. */
  readonly disturbed: number | null;
}

/** Predictions are off by some per cent: a smaller gain is no reason to recommend a shape. */
const CLEARLY = 1.15;

/**
 * Single worker's speed over the speed of `shape`, by number of streams; null unless one of them is a clear gain, and
 * where other processes disturbed the timing.
 */
export function singleGains({ shape, single, disturbed }: PlanReport): readonly number[] | null {
  if (disturbed !== null) return null;
  const gains = (single?.predictions ?? []).map(
    ({ tokensPerSecond }, index) => tokensPerSecond / (shape.predictions[index]?.tokensPerSecond ?? tokensPerSecond),
  );
  return gains.some((gain) => gain >= CLEARLY) ? gains : null;
}

export interface PredictionRequest {
  /** Numbers of streams to predict for. */
  readonly streams: readonly number[];
  /** Bytes per second of the link between workers; null: none. */
  readonly link: number | null;
}

/** The running cluster's plan, with predictions from its workers' measurements; null while there are none. */
export function reportRunning(status: ClusterStatus, { streams, link }: PredictionRequest): PlanReport | null {
  const holders = status.workers.filter(({ layers }) => layers !== null).sort(byLayers);
  const stages = holders.flatMap((worker, index) => predictedStage(worker, index === holders.length - 1));
  if (stages.length === 0 || stages.length < holders.length) return null;
  const { activationType: type, activationBytes: bytes } = status;
  const isKnown = type !== undefined && bytes !== undefined;
  const activations = isKnown && stages.length > 1 ? planActivations({ stages, streams, type, bytes, link }) : null;
  const onLink = activations === null ? undefined : linkTime(activations);
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
      ...(worker.memoryFrom !== undefined && { memoryFrom: worker.memoryFrom }),
      rowMs: sumOfStagesMs(stages.slice(index, index + 1), 1),
      ...(worker.spare !== undefined && { spare: worker.spare }),
    })),
    pages: status.pages.total,
    pageSize: status.pages.size,
    predictions: streams.map((count) => predict(stages, Math.min(count, status.sequences.limit), onLink)),
  };
  const { name, contextLength } = status.model;
  const { kvType } = status;
  const disturbed = disturbanceOf(holders);
  return { ...NOT_TIMED_HERE, model: name, kvType, contextLength, activations, shape, disturbed };
}

const NOT_TIMED_HERE = { single: null, singleRefused: null, why: null, randomType: null } as const;

const byLayers = (a: WorkerStatus, b: WorkerStatus): number => (a.layers?.[0] ?? 0) - (b.layers?.[0] ?? 0);

function predictedStage({ layers, stepTimes }: WorkerStatus, heads: boolean): readonly PredictedStage[] {
  if (layers === null || stepTimes === null) return [];
  return [{ ...stepTimes, layers: layers[1] - layers[0], heads }];
}
