import { toRhoneError } from "@rhone/common";
import { inspectModel, type ModelSummary, pageBytesPerLayer } from "@rhone/model";
import {
  type Calibration,
  type KvShape,
  type ModelPlan,
  type ModelWeights,
  planModel,
  predict,
  SERVING_DEFAULTS,
  sumOfStagesMs,
} from "@rhone/planner";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { LaunchPlan } from "../launch/launch-plan.js";
import { plural } from "../terminal/format.js";
import { calibrateMachine } from "./calibrate-machine.js";
import type { PlannedShape, PlanReport } from "./plan-report.js";

/** Layers that a calibration loads: enough to keep the processor's caches cold. */
const TIMED_LAYERS = 8;

export interface MachinePlanRequest {
  readonly options: Pick<ClusterOptions, "kvType" | "slidingWindow" | "context" | "device" | "kernels">;
  readonly plan: LaunchPlan;
  /** Bytes that each worker may use. */
  readonly memory: number;
  /** Numbers of streams to predict for. */
  readonly streams: readonly number[];
  /** The JavaScript file that times layers. */
  readonly entry: string;
  readonly signal: AbortSignal;
  readonly onPhase: (text: string) => void;
}

/**
 * Times the model on this machine and plans it, as asked and with one worker. Throws NOT_ENOUGH_MEMORY, and the errors
 * of timing.
 */
export async function planMachine(request: MachinePlanRequest): Promise<PlanReport> {
  const { plan, options, memory } = request;
  const summary = await inspectModel(plan.model.path);
  const asked = await planShape(request, summary, { workers: plan.workers, threads: plan.threads, memory });
  const base = {
    model: plan.model.name,
    kvType: options.kvType,
    contextLength: kvShape(request, summary).contextLength,
    shape: asked,
    single: null,
    singleRefused: null,
  };
  if (plan.workers === 1) return base;
  const all = { workers: 1, threads: plan.workers * plan.threads, memory: plan.workers * memory };
  try {
    return { ...base, single: await planShape(request, summary, all) };
  } catch (error) {
    const { code, message } = toRhoneError(error);
    if (code !== "NOT_ENOUGH_MEMORY") throw error;
    return { ...base, singleRefused: message };
  }
}

interface Shape {
  readonly workers: number;
  readonly threads: number;
  readonly memory: number;
}

/** Plans once before timing, so that a model that does not fit is refused at once. */
async function planShape(request: MachinePlanRequest, summary: ModelSummary, shape: Shape): Promise<PlannedShape> {
  cut(request, summary, { shape, calibration: null });
  const { workers, threads } = shape;
  request.onPhase(`timing ${plural(workers, "worker")} with ${plural(threads, "thread")}${workers > 1 ? " each" : ""}`);
  const calibration = await calibrateMachine(workers, calibrationOf(request, summary, shape), request.signal);
  const plan = cut(request, summary, { shape, calibration });
  const stages = plan.stages.map(({ first, last, heads }) => ({ ...calibration, layers: last - first, heads }));
  const pageBytes = onePage(request, summary);
  return {
    workers,
    threads,
    kernels: calibration.kernels,
    stages: plan.stages.map(({ first, last, heads, weightBytes, memoryTotal }, index) => ({
      first,
      last,
      heads,
      weightBytes,
      pageBytes: plan.pages * pageBytes * (last - first),
      memoryTotal,
      rowMs: sumOfStagesMs(stages.slice(index, index + 1), 1),
    })),
    pages: plan.pages,
    pageSize: SERVING_DEFAULTS.pageSize,
    predictions: request.streams.map((count) => predict(stages, Math.min(count, SERVING_DEFAULTS.maxSequences))),
  };
}

function calibrationOf({ options, plan, entry }: MachinePlanRequest, summary: ModelSummary, shape: Shape) {
  return {
    entry,
    modelPath: plan.model.path,
    layers: Math.min(TIMED_LAYERS, Math.ceil(summary.config.nLayers / shape.workers)),
    threads: shape.threads,
    kvType: options.kvType,
    slidingWindow: windowOf({ options, plan }, summary),
    device: options.device,
    kernels: options.kernels,
  };
}

function cut(
  request: MachinePlanRequest,
  summary: ModelSummary,
  { shape, calibration }: { readonly shape: Shape; readonly calibration: Calibration | null },
): ModelPlan {
  const workers = Array.from({ length: shape.workers }, (_, index) => ({
    worker: `worker ${index + 1}`,
    memoryTotal: shape.memory,
    raw: null,
    calibration,
  }));
  return planModel({
    workers,
    weights: weightsOf(summary),
    shape: kvShape(request, summary),
    pageBytes: onePage(request, summary),
    maxSequences: SERVING_DEFAULTS.maxSequences,
    kvPages: null,
    lastPlan: [],
  });
}

function weightsOf({ weightBytes: { layers, embedding, head, total } }: ModelSummary): ModelWeights {
  return { layerBytes: layers, embeddingBytes: embedding, headBytes: head, wholeBytes: total };
}

function onePage({ options }: MachinePlanRequest, { config }: ModelSummary): number {
  return pageBytesPerLayer(config, options.kvType, SERVING_DEFAULTS.pageSize);
}

function kvShape(request: MachinePlanRequest, summary: ModelSummary): KvShape {
  const { pageSize, maxRows, contextLimit } = SERVING_DEFAULTS;
  const contextLength = request.options.context ?? Math.min(summary.config.contextLength, contextLimit);
  return { pageSize, maxRows, contextLength, slidingWindow: windowOf(request, summary) };
}

function windowOf({ options, plan }: Pick<MachinePlanRequest, "options" | "plan">, { config }: ModelSummary): number {
  return options.slidingWindow ?? plan.model.slidingWindow ?? config.slidingWindow;
}
