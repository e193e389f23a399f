import type { KvTypeName } from "@rhone/common";
import type { ModelFacts } from "../model/model-facts.js";
import { type KvShape, livePages } from "../scheduler/sliding-window.js";
import { chooseWorkers } from "./choose-workers.js";
import { planPages } from "./plan-pages.js";
import { planStages, type StagePlan, type StageWorker } from "./plan-stages.js";

/** What the operator fixed. */
export interface PlanSettings {
  /** How many workers share the layers. */
  readonly workers: number;
  readonly kvType: KvTypeName;
  readonly kvPages: number | null;
  readonly maxSequences: number;
  readonly shape: KvShape;
}

/** Which workers hold which layers, and how many pages each. */
export interface ClusterPlan {
  readonly stages: readonly StagePlan[];
  readonly pages: number;
}

/**
 * The plan for the workers that are joined; null while they are too few. Pure: equal members give equal plans.
 * `lastPlan`: worker ids in stage order. Throws NOT_ENOUGH_MEMORY, INVALID_CONFIG.
 */
export function planCluster(
  members: readonly StageWorker[],
  lastPlan: readonly string[],
  { model, settings }: { readonly model: ModelFacts; readonly settings: PlanSettings },
): ClusterPlan | null {
  const { shape, kvType, kvPages, maxSequences } = settings;
  const byId = new Map(members.map((member) => [member.worker, member]));
  const chosen = chooseWorkers([...byId.keys()], settings.workers, lastPlan);
  if (chosen === null) return null;
  const workers = chosen.map((worker) => byId.get(worker)).filter((member) => member !== undefined);
  const pageBytes = model.pageBytes(kvType, shape.pageSize);
  const stages = planStages(workers, model.weights, livePages(shape.contextLength, shape) * pageBytes);
  return { stages, pages: planPages({ stages, shape, pageBytes, maxSequences, wanted: kvPages }) };
}
