import { RhoneError } from "@rhone/common";
import { cutLayers, dearest, type StageCost } from "./cut-layers.js";
import { layerCosts, type WorkerSpeed } from "./layer-costs.js";
import { type ModelWeights, type ShardRange, shardBytes } from "./model-weights.js";

export interface StageWorker extends WorkerSpeed {
  readonly worker: string;
  /** Bytes it may use. */
  readonly memoryTotal: number;
}

export interface StagePlan extends ShardRange {
  readonly worker: string;
  readonly stage: number;
  readonly weightBytes: number;
  readonly memoryTotal: number;
}

/** A cut that stands is left only for one whose slowest stage takes less than this share of its own: moving weights costs time. */
const WORTH_MOVING = 0.9;

export interface StageRequest {
  /** In the order of the stages. */
  readonly workers: readonly StageWorker[];
  readonly weights: ModelWeights;
  /** Bytes of K/V that each layer needs at least. */
  readonly kvBytesPerLayer: number;
  /** The cut that stands, whoever holds it; empty when there is none. */
  readonly lastPlan: readonly ShardRange[];
}

/**
 * Cuts the layers over the workers, in their order, so that the slowest stage is as fast as it can be within the workers'
 * memory (weights and the least K/V). Keeps the cut that stands unless another is clearly faster.
 * Throws NOT_ENOUGH_MEMORY with each worker's numbers, INVALID_CONFIG for more workers than layers.
 */
export function planStages(request: StageRequest): readonly StagePlan[] {
  const { workers, weights, lastPlan } = request;
  const nLayers = weights.layerBytes.length;
  if (workers.length < 1 || workers.length > nLayers) {
    throw new RhoneError("INVALID_CONFIG", `${workers.length} workers for ${nLayers} layers: give 1 to ${nLayers}.`);
  }
  const time = stageTime(request);
  const fits: StageCost = (stage, first, last) =>
    memoryLeft(request, stage, first, last) >= 0 ? time(stage, first, last) : Number.POSITIVE_INFINITY;
  const best = cutLayers(nLayers, workers.length, fits);
  if (best === null) throw notEnough(request, cutLayers(nLayers, workers.length, time) ?? []);
  const standing = lastPlan.map(({ last }) => last);
  const keeps = standing.length === workers.length && dearest(best, fits) >= WORTH_MOVING * dearest(standing, fits);
  return toPlan(keeps ? standing : best, request);
}

/** What a stage takes for a step, in the unit of layerCosts. */
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

function rangeOf({ workers }: StageRequest, stage: number, first: number, last: number): ShardRange {
  return { first, last, embeds: stage === 0, heads: stage === workers.length - 1 };
}

function memoryNeeded(request: StageRequest, stage: number, first: number, last: number): number {
  const weightBytes = shardBytes(request.weights, rangeOf(request, stage, first, last));
  return weightBytes + (last - first) * request.kvBytesPerLayer;
}

function memoryLeft(request: StageRequest, stage: number, first: number, last: number): number {
  return (request.workers[stage]?.memoryTotal ?? 0) - memoryNeeded(request, stage, first, last);
}

function toPlan(ends: readonly number[], request: StageRequest): readonly StagePlan[] {
  return request.workers.map(({ worker, memoryTotal }, stage) => {
    const range = rangeOf(request, stage, ends[stage - 1] ?? 0, ends[stage] ?? 0);
    return { worker, stage, ...range, weightBytes: shardBytes(request.weights, range), memoryTotal };
  });
}

const MIB = 1024 * 1024;
const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** `ends`: the cut that would be best if memory did not matter. */
function notEnough(request: StageRequest, ends: readonly number[]): RhoneError {
  const rows = request.workers.map(({ worker, memoryTotal }, stage) => {
    const [first, last] = [ends[stage - 1] ?? 0, ends[stage] ?? 0];
    const needed = memoryNeeded(request, stage, first, last);
    return `${worker}: layers ${first} to ${last - 1} need ${mib(needed)}, it has ${mib(memoryTotal)}`;
  });
  return new RhoneError(
    "NOT_ENOUGH_MEMORY",
    `The model does not fit: ${rows.join("; ")}. Add workers, give them more memory, or choose a smaller type or context.`,
  );
}
