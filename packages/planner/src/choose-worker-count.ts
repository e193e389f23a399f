import { RhoneError } from "@rhone/common";
import { type ModelWeights, shardBytes } from "./model-weights.js";
import { type ModelPlan, type ModelRequest, planModel } from "./plan-model.js";
import { predict } from "./predict.js";
import type { StepCurve } from "./step-curve.js";

export interface CountRequest extends Omit<ModelRequest, "workers" | "kvPages" | "lastPlan"> {
  /** Cores that the workers share. */
  readonly cores: number;
  /** Threads of each of `workers` workers. */
  readonly threadsOf: (workers: number) => number;
  /** Bytes that each of `workers` workers may use. */
  readonly memoryOf: (workers: number) => number;
}

export interface CountChoice {
  readonly workers: number;
  /** Fewer workers can't hold the model. */
  readonly least: number;
  /** The nearest other number, and its predicted speed as a share of the chosen one's; null when there is none. */
  readonly other: { readonly workers: number; readonly speed: number } | null;
}

/** Streams at a time that a number of workers is chosen for. */
const STREAMS = 8;
/** Weights that a core reads per millisecond for one row, and the time of more rows: Q4_0 on AVX2, docs/kernels.md. */
const BYTES_PER_MS = 16e6;
const TIMES_OF_ROWS = [
  [1, 1],
  [4, 1.4],
  [16, 3.8],
] as const;
/** Speeds rise and fall with the number of workers; a cut into unequal parts may hide a rise for a step or two. */
const LOOKED_AHEAD = 2;

/**
 * The number of workers of one machine that is predicted fastest, from the model's bytes and the machine's cores alone:
 * nothing is timed, so it is the same at every start. Throws the NOT_ENOUGH_MEMORY of a single worker when no number of
 * workers can hold the model.
 */
export function chooseWorkerCount(request: CountRequest): CountChoice {
  const most = request.weights.layerBytes.length;
  let [least, best, refused]: [number, number, unknown] = [0, 0, null];
  const speeds = new Map<number, number>();
  for (let workers = 1; workers <= most && (best === 0 || workers <= best + LOOKED_AHEAD); workers++) {
    try {
      const speed = speedOf(workers, request);
      speeds.set(workers, speed);
      if (least === 0) least = workers;
      if (best === 0 || speed > (speeds.get(best) ?? 0)) best = workers;
    } catch (error) {
      if (!(error instanceof RhoneError) || error.code !== "NOT_ENOUGH_MEMORY") throw error;
      refused ??= error;
    }
  }
  if (best === 0) throw refused;
  const near = best > least ? least : best + 1;
  const speed = speeds.get(near);
  const other = speed === undefined ? null : { workers: near, speed: speed / (speeds.get(best) ?? speed) };
  return { workers: best, least, other };
}

/** Tokens per second that STREAMS streams get together. Throws as planModel. */
function speedOf(workers: number, request: CountRequest): number {
  const { cores, threadsOf, memoryOf, ...model } = request;
  const plan = planModel({ ...model, workers: workersOf(workers, memoryOf(workers)), kvPages: null, lastPlan: [] });
  const threads = threadsOf(workers);
  // Threads without a core of their own wait for one.
  const busyCores = Math.min(threads, cores / workers);
  return predict(stagesOf(plan, model.weights, busyCores), STREAMS).tokensPerSecond;
}

const workersOf = (count: number, memoryTotal: number) =>
  Array.from({ length: count }, (_, index) => ({
    worker: `worker ${index + 1}`,
    memoryTotal,
    raw: null,
    calibration: null,
  }));

/** Each stage as one layer that takes as long as reading the stage's layers and head; the embedding is a lookup. */
function stagesOf({ stages }: ModelPlan, weights: ModelWeights, cores: number) {
  return stages.map(({ first, last, heads }) => {
    const ms = shardBytes(weights, { first, last, heads, embeds: false }) / (BYTES_PER_MS * cores);
    const curve: StepCurve = TIMES_OF_ROWS.map(([rows, times]) => ({ rows, layerMs: ms * times, headMs: 0 }));
    return { layers: 1, heads: false, curve, alone: curve };
  });
}
