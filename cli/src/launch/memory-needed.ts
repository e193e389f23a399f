import { RhoneError } from "@rhone/common";
import { type ModelPlan, modelRequest, type PlannableModel, planModel, planSpares } from "@rhone/planner";
import type { ClusterOptions } from "./cluster-options.js";
import type { MemoryOfWorkers } from "./default-workers.js";

interface Workers extends Pick<MemoryOfWorkers, "memory"> {
  readonly workers: number;
}

/**
 * Bytes of weights, spare ones too, and of K/V pages that the workers of a pipeline will hold together in this
 * machine's memory; 0 where they hold them on a device, or are simulated. All that they may use where the model does
 * not fit them: others may join and hold the rest.
 */
export function memoryNeeded(model: PlannableModel, options: ClusterOptions, { workers, memory }: Workers): number {
  if (memory === undefined || options.device !== undefined || options.simulate !== undefined) return 0;
  const request = modelRequest(model, options);
  const each = Array.from({ length: workers }, (_, index) => ({
    worker: String(index),
    memoryTotal: memory,
    raw: null,
    calibration: null,
  }));
  const plan = planOrNull(() => planModel({ ...request, workers: each, kvPages: null, lastPlan: [] }));
  if (plan === null) return workers * memory;
  const spares = planSpares(plan, options.spares ?? 0, request).map(({ bytes }) => bytes);
  const shards = plan.stages.map(
    ({ first, last, weightBytes }) => weightBytes + plan.pages * request.pageBytes * (last - first),
  );
  return [...shards, ...spares].reduce((sum, bytes) => sum + bytes, 0);
}

function planOrNull(plan: () => ModelPlan): ModelPlan | null {
  try {
    return plan();
  } catch (error) {
    if (error instanceof RhoneError && error.code === "NOT_ENOUGH_MEMORY") return null;
    throw error;
  }
}
