import type { KvTypeName } from "@rhone/common";
import {
  type KvShape,
  type ModelPlan,
  planModel,
  type RawSpeed,
  type StagePlan,
  type StageWorker,
} from "@rhone/planner";
import type { ModelFacts } from "../model/model-facts.js";
import { chooseWorkers } from "./choose-workers.js";

/** What the operator fixed. */
export interface PlanSettings {
  /** How many workers share the layers. */
  readonly workers: number;
  readonly kvType: KvTypeName;
  readonly kvPages: number | null;
  readonly maxSequences: number;
  readonly shape: KvShape;
}

/** A joined worker; those of equal `kind` are equally fast. */
export interface ClusterWorker extends StageWorker {
  readonly kind: string;
}

/**
 * The plan for the workers that are joined; null while they are too few. Pure: equal members give equal plans.
 * Throws NOT_ENOUGH_MEMORY, INVALID_CONFIG.
 */
export function planCluster(
  members: readonly ClusterWorker[],
  lastPlan: readonly StagePlan[],
  { model, settings }: { readonly model: ModelFacts; readonly settings: PlanSettings },
): ModelPlan | null {
  const { shape, kvType, kvPages, maxSequences } = settings;
  const byId = new Map(members.map((member) => [member.worker, member]));
  const lastWorkers = lastPlan.map(({ worker }) => worker);
  const chosen = chooseWorkers([...byId.keys()], settings.workers, lastWorkers);
  if (chosen === null) return null;
  const chosenMembers = chosen.map((worker) => byId.get(worker)).filter((member) => member !== undefined);
  const workers = chosenMembers.map((member) => ({
    worker: member.worker,
    memoryTotal: member.memoryTotal,
    calibration: member.calibration,
    raw: bestRaw(chosenMembers, member.kind),
  }));
  const pageBytes = model.pageBytes(kvType, shape.pageSize);
  return planModel({ workers, weights: model.weights, shape, pageBytes, maxSequences, kvPages, lastPlan });
}

/** The best of what workers of a kind measured when they started: the others were disturbed. Null when none says. */
function bestRaw(members: readonly ClusterWorker[], kind: string): RawSpeed | null {
  const known = members.flatMap((member) => (member.kind === kind && member.raw !== null ? [member.raw] : []));
  if (known.length === 0) return null;
  return {
    gflops: Math.max(...known.map(({ gflops }) => gflops)),
    bandwidth: Math.max(...known.map(({ bandwidth }) => bandwidth)),
  };
}
