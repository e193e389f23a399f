import { RhoneError } from "@rhone/common";

/** What a model weighs, in bytes. */
export interface ModelWeights {
  readonly layerBytes: readonly number[];
  /** The first stage holds the token embedding, the last the final norm and the head. */
  readonly embeddingBytes: number;
  readonly headBytes: number;
  /** With one stage a tied embedding is held once: the whole file. */
  readonly wholeBytes: number;
}

export interface StageWorker {
  readonly worker: string;
  /** Bytes it may use. */
  readonly memoryTotal: number;
}

export interface StagePlan {
  readonly worker: string;
  readonly stage: number;
  /** Layers [first, last). */
  readonly first: number;
  readonly last: number;
  readonly embeds: boolean;
  readonly heads: boolean;
  readonly weightBytes: number;
  readonly memoryTotal: number;
}

/**
 * Cuts the layers over the workers, in their order: in proportion to memory, equally when it is equal, at least one
 * each; then moves layers away from stages whose weights (and K/V of `kvBytesPerLayer`, the least that serves) do not fit.
 * Throws NOT_ENOUGH_MEMORY with each worker's numbers, INVALID_CONFIG for more workers than layers.
 */
export function planStages(
  workers: readonly StageWorker[],
  weights: ModelWeights,
  kvBytesPerLayer: number,
): readonly StagePlan[] {
  const nLayers = weights.layerBytes.length;
  if (workers.length < 1 || workers.length > nLayers) {
    throw new RhoneError("INVALID_CONFIG", `${workers.length} workers for ${nLayers} layers: give 1 to ${nLayers}.`);
  }
  const shares = shareLayers(workers, nLayers);
  for (let moved = 0; moved < nLayers; moved++) {
    const needs = stageNeeds(shares, workers, weights, kvBytesPerLayer);
    if (needs.every((need) => need.left >= 0)) return toPlan(shares, workers, weights);
    if (!moveLayer(shares, needs)) throw notEnough(needs);
  }
  throw notEnough(stageNeeds(shares, workers, weights, kvBytesPerLayer));
}

/** Layers per worker: 10 layers over memories 3 : 1 are 8 and 2 (7.5 and 2.5; the equal remainders go to the earlier). */
function shareLayers(workers: readonly StageWorker[], nLayers: number): number[] {
  const total = workers.reduce((sum, { memoryTotal }) => sum + memoryTotal, 0);
  const ideal = workers.map(({ memoryTotal }) => (total > 0 ? memoryTotal / total : 1 / workers.length) * nLayers);
  const shares = ideal.map((share) => Math.max(1, Math.floor(share)));
  const sum = (): number => shares.reduce((a, b) => a + b, 0);
  const add = (index: number, layers: number): void => {
    shares[index] = (shares[index] ?? 0) + layers;
  };
  const byNeed = (direction: 1 | -1): number => {
    const wants = ideal.map((share, index) => direction * (share - (shares[index] ?? 0)));
    const allowed = wants.map((want, index) => (direction === -1 && shares[index] === 1 ? -Infinity : want));
    return allowed.indexOf(Math.max(...allowed));
  };
  while (sum() < nLayers) add(byNeed(1), 1);
  while (sum() > nLayers) add(byNeed(-1), -1);
  return shares;
}

interface StageNeed {
  readonly plan: StagePlan;
  readonly needed: number;
  /** Bytes left over; below 0 when it does not fit. */
  readonly left: number;
  readonly perLayer: number;
}

function stageNeeds(
  shares: readonly number[],
  workers: readonly StageWorker[],
  weights: ModelWeights,
  kvBytesPerLayer: number,
): readonly StageNeed[] {
  const largestLayer = Math.max(...weights.layerBytes);
  return toPlan(shares, workers, weights).map((plan) => {
    const needed = plan.weightBytes + (plan.last - plan.first) * kvBytesPerLayer;
    return { plan, needed, left: plan.memoryTotal - needed, perLayer: largestLayer + kvBytesPerLayer };
  });
}

/** One layer from the stage that lacks most to the one with most room; false when nobody has room for a layer. */
function moveLayer(shares: number[], needs: readonly StageNeed[]): boolean {
  const givers = needs.filter((need) => need.left < 0 && need.plan.last - need.plan.first > 1);
  const takers = needs.filter((need) => need.left >= need.perLayer);
  const giver = givers.sort((a, b) => a.left - b.left)[0];
  const taker = takers.sort((a, b) => b.left - a.left)[0];
  if (giver === undefined || taker === undefined) return false;
  shares[giver.plan.stage] = giver.plan.last - giver.plan.first - 1;
  shares[taker.plan.stage] = taker.plan.last - taker.plan.first + 1;
  return true;
}

function toPlan(
  shares: readonly number[],
  workers: readonly StageWorker[],
  weights: ModelWeights,
): readonly StagePlan[] {
  let first = 0;
  return workers.map(({ worker, memoryTotal }, stage) => {
    const last = first + (shares[stage] ?? 0);
    const embeds = stage === 0;
    const heads = stage === workers.length - 1;
    const weightBytes = stageBytes(weights, { first, last, embeds, heads });
    const plan = { worker, stage, first, last, embeds, heads, weightBytes, memoryTotal };
    first = last;
    return plan;
  });
}

function stageBytes(
  weights: ModelWeights,
  { first, last, embeds, heads }: Pick<StagePlan, "first" | "last" | "embeds" | "heads">,
): number {
  if (embeds && heads) return weights.wholeBytes;
  const layers = weights.layerBytes.slice(first, last).reduce((sum, bytes) => sum + bytes, 0);
  return layers + (embeds ? weights.embeddingBytes : 0) + (heads ? weights.headBytes : 0);
}

const MIB = 1024 * 1024;
const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

function notEnough(needs: readonly StageNeed[]): RhoneError {
  const rows = needs.map(({ plan, needed }) => {
    const layers = `layers ${plan.first} to ${plan.last - 1}`;
    return `${plan.worker}: ${layers} need ${mib(needed)}, it has ${mib(plan.memoryTotal)}`;
  });
  return new RhoneError(
    "NOT_ENOUGH_MEMORY",
    `The model does not fit: ${rows.join("; ")}. Add workers, give them more memory, or choose a smaller type or context.`,
  );
}
