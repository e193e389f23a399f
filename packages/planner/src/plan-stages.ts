import { RhoneError } from "@rhone/common";
import type { WorkerSpeed } from "./calibration.js";
import { cutLayers, dearest, type StageCost } from "./cut-layers.js";
import { equallyFast, layerCosts } from "./layer-costs.js";
import { type ModelWeights, type ShardRange, shardBytes } from "./model-weights.js";

export interface StageWorker extends WorkerSpeed {
  readonly worker: string;
  /** Bytes that the worker may use. */
  readonly memoryTotal: number;
}

export interface StagePlan extends ShardRange {
  readonly worker: string;
  readonly stage: number;
  readonly weightBytes: number;
  readonly memoryTotal: number;
}

/**
 * Workers of different speeds keep the current cut unless another's slowest stage takes less than this share of its
 * time: moving weights costs time.
 */
const WORTH_MOVING = 0.9;

export interface StageRequest {
  /** In the order of the stages. */
  readonly workers: readonly StageWorker[];
  readonly weights: ModelWeights;
  /** Least bytes of K/V per layer. */
  readonly kvBytesPerLayer: number;
  /** The current cut, whichever workers hold it; empty when there is none. */
  readonly lastPlan: readonly ShardRange[];
}

/**
 * Divides the layers among the workers, in order, so that the slowest stage is as fast as the workers' memory (for
 * weights and the least K/V) allows. Workers that are equally fast get one cut, whatever they held before; others keep
 * the current one unless another is clearly faster. Throws NOT_ENOUGH_MEMORY with each worker's numbers, INVALID_CONFIG
 * for more workers than layers.
 */
export function planStages(request: StageRequest): readonly StagePlan[] {
  const { workers, weights, lastPlan } = request;
  const nLayers = weights.layerBytes.length;
  if (workers.length < 1 || workers.length > nLayers) {
    throw new RhoneError(
      "INVALID_CONFIG",
      `A model of ${nLayers} layers takes 1 to ${nLayers} workers; there are ${workers.length}.`,
    );
  }
  const time = stageTime(request);
  const fits: StageCost = (stage, first, last) => {
    const needed = memoryNeeded(request, rangeOf(workers.length, stage, { first, last }));
    return needed <= (workers[stage]?.memoryTotal ?? 0) ? time(stage, first, last) : Number.POSITIVE_INFINITY;
  };
  const best = cutLayers(nLayers, workers.length, fits);
  if (best === null) throw notEnough(request, cutLayers(nLayers, workers.length, time) ?? []);
  const current = lastPlan.map(({ last }) => last);
  const mayKeep = current.length === workers.length && !equallyFast(workers);
  const keeps = mayKeep && dearest(best, fits) >= WORTH_MOVING * dearest(current, fits);
  return toPlan(keeps ? current : best, request);
}

/** A stage's time for a step, in the unit of layerCosts. */
function stageTime({ workers, weights }: StageRequest): StageCost {
  const costs = layerCosts(workers, weights).map(({ layers, head }) => ({ before: runningSums(layers), head }));
  return (stage, first, last) => {
    const cost = costs[stage];
    if (cost === undefined) return Number.POSITIVE_INFINITY;
    return (cost.before[last] ?? 0) - (cost.before[first] ?? 0) + (stage === workers.length - 1 ? cost.head : 0);
  };
}

/** [3, 4, 5] -> [0, 3, 7, 12] */
function runningSums(values: readonly number[]): readonly number[] {
  const sums = [0];
  for (const value of values) sums.push((sums.at(-1) ?? 0) + value);
  return sums;
}

/** The layers of a stage in the cut that ends at `ends`. */
const layersOf = (ends: readonly number[], stage: number) => ({ first: ends[stage - 1] ?? 0, last: ends[stage] ?? 0 });

function rangeOf(stages: number, stage: number, layers: { readonly first: number; readonly last: number }): ShardRange {
  return { ...layers, embeds: stage === 0, heads: stage === stages - 1 };
}

function memoryNeeded({ weights, kvBytesPerLayer }: StageRequest, range: ShardRange): number {
  return shardBytes(weights, range) + (range.last - range.first) * kvBytesPerLayer;
}

function toPlan(ends: readonly number[], request: StageRequest): readonly StagePlan[] {
  return request.workers.map(({ worker, memoryTotal }, stage) => {
    const range = rangeOf(request.workers.length, stage, layersOf(ends, stage));
    return { worker, stage, ...range, weightBytes: shardBytes(request.weights, range), memoryTotal };
  });
}

/** `ends`: the cut that would be best if memory did not matter. */
function notEnough(request: StageRequest, ends: readonly number[]): RhoneError {
  const rows = request.workers.map(({ worker, memoryTotal }, stage) => {
    const { first, last } = layersOf(ends, stage);
    const range = rangeOf(request.workers.length, stage, { first, last });
    const [needed, present] = inMegabytes(memoryNeeded(request, range), memoryTotal);
    const layers = last - first === 1 ? `layer ${first} needs` : `layers ${first} to ${last - 1} need`;
    return `${worker}: ${layers} ${needed} MB, it has ${present} MB`;
  });
  const message =
    `The model does not fit: ${rows.join("; ")}. ` +
    "Add workers, raise --memory, or choose --kv-type q8_0, a smaller --context or a smaller model.";
  return new RhoneError("NOT_ENOUGH_MEMORY", message);
}

/** The unit of --memory 700M. */
const MB = 1e6;
/** Places of a megabyte that tell single bytes apart. */
const MOST_PLACES = 6;

/**
 * Needed and present memory in MB, the first rounded up and the second down, to the fewest places that are right to
 * 1 % and show which is larger: 1.6 MB must not read as 1 MB, and a worker that needs 7168.2 MB and has 7168.4 not as
 * needing 7169 and having 7168.
 */
function inMegabytes(needed: number, present: number): readonly [string, string] {
  for (let places = 0; ; places++) {
    const unit = MB / 10 ** places;
    const up = Math.ceil(needed / unit);
    const down = needed === present ? up : Math.floor(present / unit);
    const tells = Math.sign(up - down) === Math.sign(needed - present);
    const isClose = up * unit <= 1.01 * needed && down * unit >= 0.99 * present;
    if ((tells && isClose) || places === MOST_PLACES) {
      const text = (units: number) => (units / 10 ** places).toFixed(places);
      return [text(up), text(down)];
    }
  }
}
