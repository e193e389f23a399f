import type { KvTypeName } from "@rhone/common";
import {
  type KvShape,
  type ModelPlan,
  type PipelineTimes,
  planModel,
  type RawSpeed,
  type StagePlan,
  type StageWorker,
} from "@rhone/planner";
import type { ModelFacts } from "../model/model-facts.js";

/** The settings that a plan depends on. */
export interface PlanSettings {
  /** Stages: how many workers share the layers, at least. */
  readonly workers: number;
  /** Further workers that can hold a shard become stages, up to one per layer. */
  readonly grow?: boolean;
  readonly kvType: KvTypeName;
  readonly kvPages: number | null;
  readonly maxSequences: number;
  readonly shape: KvShape;
}

/** A joined worker. */
export interface Candidate extends StageWorker {
  /** Workers of one kind count as equally fast. */
  readonly kind: string;
  /**
   * On the performance clock: when it last failed to load a shard; null when it has not failed since it last loaded
   * one.
   */
  readonly loadFailedAt: number | null;
}

/**
 * The plan for the joined workers; null while they are too few. `lastPlan`: the last plan whose shards were all loaded.
 * Pure: equal members give equal plans. Throws NOT_ENOUGH_MEMORY, INVALID_CONFIG.
 */
export function planPipeline(
  members: readonly Candidate[],
  lastPlan: readonly StagePlan[],
  { model, settings }: { readonly model: ModelFacts; readonly settings: PlanSettings },
): ModelPlan | null {
  const { shape, kvType, kvPages, maxSequences } = settings;
  const lastWorkers = lastPlan.map(({ worker }) => worker);
  const chosen = chooseWorkers(members, stageCount(members, settings, model.served.nLayers), lastWorkers);
  if (chosen === null) return null;
  const workers = chosen.map((member) => ({
    worker: member.worker,
    memoryTotal: member.memoryTotal,
    calibration: member.calibration,
    raw: bestRaw(chosen, member.kind),
  }));
  const pageBytes = model.pageBytes(kvType, shape.pageSize);
  return planModel({ workers, weights: model.weights, shape, pageBytes, maxSequences, kvPages, lastPlan });
}

/** How many of these workers become stages. One that failed to load a shard adds none. */
export function stageCount(
  members: readonly Pick<Candidate, "loadFailedAt">[],
  { workers, grow = false }: Pick<PlanSettings, "workers" | "grow">,
  nLayers: number,
): number {
  if (!grow) return workers;
  const able = members.filter(({ loadFailedAt }) => loadFailedAt === null).length;
  return Math.max(workers, Math.min(able, nLayers));
}

/**
 * The best speed that workers of a kind measured when they started, since others were disturbed; null when none says.
 */
function bestRaw(members: readonly Candidate[], kind: string): RawSpeed | null {
  const known = members.flatMap((member) => (member.kind === kind && member.raw !== null ? [member.raw] : []));
  if (known.length === 0) return null;
  return {
    gflops: Math.max(...known.map(({ gflops }) => gflops)),
    bandwidth: Math.max(...known.map(({ bandwidth }) => bandwidth)),
  };
}

/**
 * The workers that take the stages, in stage order; null when there are fewer than `stages`. Workers of the last plan
 * come first, so that they keep their weights, then the others in order of joining. Workers that failed to load a shard
 * come last, the one that failed first before the others: each spare gets its turn before a worker is tried a second
 * time. A worker that is chosen again keeps its stage; the others take the free ones in the order of their names, so
 * that machines which come back in another order get the layers whose weights they have on disk.
 */
export function chooseWorkers<T extends Pick<Candidate, "worker" | "loadFailedAt">>(
  members: readonly T[],
  stages: number,
  lastPlan: readonly string[],
): readonly T[] | null {
  if (members.length < stages) return null;
  const isSpare = ({ worker }: T): number => (lastPlan.includes(worker) ? 0 : 1);
  const byPreference = members.toSorted(
    (a, b) => (a.loadFailedAt ?? 0) - (b.loadFailedAt ?? 0) || isSpare(a) - isSpare(b),
  );
  const chosen = new Set(byPreference.slice(0, stages));
  const kept = Array.from({ length: stages }, (_, stage) =>
    members.find((member) => member.worker === lastPlan[stage] && chosen.has(member)),
  );
  const others = members
    .filter((member) => chosen.has(member) && !kept.includes(member))
    .sort((a, b) => (a.worker < b.worker ? -1 : 1));
  return kept.flatMap((member) => member ?? others.shift() ?? []);
}

/** Whether two plans give the same layers to the same workers. */
export function sameCut(a: readonly StagePlan[], b: readonly StagePlan[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ worker, last }, stage) => worker === b[stage]?.worker && last === b[stage]?.last)
  );
}

/** Whether nobody has to load anything when the one follows the other. */
export const samePlan = (a: ModelPlan, b: ModelPlan): boolean => a.pages === b.pages && sameCut(a.stages, b.stages);

/** The workers' calibrations by stage; null when a worker could not time its shard. */
export function stepTimesOf(
  stages: readonly StagePlan[],
  members: readonly Pick<Candidate, "calibration">[],
): PipelineTimes | null {
  const times = stages.flatMap(({ first, last, heads }, stage) => {
    const curve = members[stage]?.calibration?.curve;
    return curve === undefined ? [] : [{ curve, layers: last - first, heads }];
  });
  return times.length === stages.length ? times : null;
}
