import { type ActivationTypeName, RhoneError, toRhoneError } from "@rhone/common";
import { activationBytes } from "@rhone/model";
import {
  type Calibration,
  type ModelPlan,
  modelRequest,
  planModel,
  planSpares,
  predict,
  type SpareShards,
  sumOfStagesMs,
} from "@rhone/planner";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { Machine } from "../launch/default-workers.js";
import type { Division } from "../launch/launch-plan.js";
import { plural } from "../terminal/format.js";
import type { TaskLine } from "../terminal/task-line.js";
import { calibrateMachine, type MachineCalibration } from "./calibrate-machine.js";
import { notable } from "./disturbance.js";
import { linkTime, planActivations } from "./plan-activations.js";
import type { PlannedShape, PlannedStage, PlanReport } from "./plan-report.js";
import type { PlannedModel } from "./planned-model.js";

export interface MachinePlanRequest {
  readonly options: Pick<
    ClusterOptions,
    | "kvType"
    | "slidingWindow"
    | "context"
    | "maxSequences"
    | "maxRows"
    | "activationType"
    | "device"
    | "kernels"
    | "spares"
  >;
  readonly model: PlannedModel;
  readonly machine: Pick<Machine, "cores">;
  readonly division: Pick<Division, "workers" | "why" | "threads">;
  /** Bytes that each worker may use, and where they come from, in words. */
  readonly memory: number;
  readonly memoryFrom: string;
  /** Numbers of streams to predict for. */
  readonly streams: readonly number[];
  /** Bytes per second of the link between workers, each on a machine like this one; null: they share this one. */
  readonly link: number | null;
  /** The JavaScript file that times layers. */
  readonly entry: string;
  readonly signal: AbortSignal;
  readonly tasks: Pick<TaskLine, "begin" | "progress">;
}

/**
 * Times the model on this machine and plans it, as asked and with one worker of a whole machine. Throws
 * NOT_ENOUGH_MEMORY, INVALID_CONFIG for a context beyond the model's, and the errors of timing.
 */
export async function planMachine(request: MachinePlanRequest): Promise<PlanReport> {
  const { model, options, division, memory, memoryFrom } = request;
  const { context } = options;
  const longest = model.config.contextLength;
  if (context !== undefined && context > longest) {
    const problem = `--context ${context} is longer than the model's context of ${longest}; set it to that or less.`;
    throw new RhoneError("INVALID_CONFIG", problem);
  }
  const asked = await planShape(request, { ...division, memory, memoryFrom });
  const single = division.workers === 1 ? null : await planSingle(request);
  const [compared, refusal] = single instanceof RhoneError ? [null, single.message] : [single, null];
  const disturbed = Math.max(asked.calibration.disturbed, compared?.calibration.disturbed ?? 0);
  return {
    model: model.name,
    kvType: options.kvType,
    contextLength: modelRequest(model, options).shape.contextLength,
    activations: asked.activations,
    shape: asked.shape,
    single: compared?.shape ?? null,
    singleRefused: refusal,
    why: division.why,
    randomType: model.randomType,
    disturbed: notable(disturbed),
  };
}

/** One worker with all that the asked ones have of a machine, or the refusal where it could not hold the model. */
async function planSingle(request: MachinePlanRequest): Promise<TimedShape | RhoneError> {
  const { division, memory, link } = request;
  const neighbours = link === null ? division.workers : 1;
  try {
    return await planShape(request, {
      workers: 1,
      threads: neighbours * division.threads,
      memory: neighbours * memory,
    });
  } catch (error) {
    const known = toRhoneError(error);
    if (known.code !== "NOT_ENOUGH_MEMORY") throw error;
    return known;
  }
}

interface Shape {
  readonly workers: number;
  readonly threads: number;
  readonly memory: number;
  readonly memoryFrom?: string;
}

interface TimedShape extends Pick<PlanReport, "shape" | "activations"> {
  readonly calibration: MachineCalibration;
}

/** Plans once before timing, so that a model that does not fit is refused at once. */
async function planShape(request: MachinePlanRequest, shape: Shape): Promise<TimedShape> {
  cut(request, shape, null);
  const { streams, link, options, model } = request;
  const calibration = await time(request, shape);
  const plan = cut(request, shape, calibration);
  const stages = plan.stages.map(({ first, last, heads }) => ({ ...calibration, layers: last - first, heads }));
  const type: ActivationTypeName = options.activationType ?? "f32";
  const bytes = activationBytes(model.config, type);
  const activations = shape.workers === 1 ? null : planActivations({ stages, streams, type, bytes, link });
  const asked = modelRequest(model, options);
  const { pageBytes, maxSequences, shape: pages } = asked;
  const spares = options.spares === undefined ? [] : planSpares(plan, options.spares, asked);
  const { workers, threads, memoryFrom } = shape;
  const planned: PlannedShape = {
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
      ...(memoryFrom !== undefined && { memoryFrom }),
      rowMs: sumOfStagesMs(stages.slice(index, index + 1), 1),
      ...spareOf(spares[index]),
    })),
    pages: plan.pages,
    pageSize: pages.pageSize,
    predictions: streams.map((count) => predict(stages, Math.min(count, maxSequences), linkTime({ bytes, link }))),
  };
  return { shape: planned, activations, calibration };
}

function spareOf(spare: SpareShards | undefined): Pick<PlannedStage, "spare"> {
  if (spare === undefined) return {};
  const { stages, bytes, lacking } = spare;
  return { spare: { layers: stages.map(({ first, last }) => [first, last]), bytes, needed: lacking?.needed ?? null } };
}

/** Workers that share a machine are timed together, of those with one each one. */
async function time({ model, options, machine, link, entry, signal, tasks }: MachinePlanRequest, shape: Shape) {
  const { threads } = shape;
  const workers = link === null ? shape.workers : 1;
  const onBytes = (bytes: number, totalBytes: number) => tasks.progress(bytes, totalBytes);
  const onWriting = (bytes: number, totalBytes: number) => {
    tasks.begin(`writing layers of ${model.name}'s shape with random weights`);
    onBytes(bytes, totalBytes);
  };
  const modelPath = await model.timedFile(onWriting, signal);
  const layers = Math.min(model.timedLayers, Math.ceil(model.config.nLayers / shape.workers));
  const many = `${plural(workers, "worker")} with ${plural(threads, "thread")}${workers > 1 ? " each" : ""}`;
  tasks.begin(`loading ${plural(layers, "layer")} into ${many}`);
  const { kvType, slidingWindow = model.config.slidingWindow, device, kernels } = options;
  const loaded = { entry, modelPath, layers, threads, kvType, slidingWindow, device, kernels };
  const onTiming = () => tasks.begin(`timing ${many}`);
  return calibrateMachine({ ...loaded, workers, cores: machine.cores, onLoading: onBytes, onTiming }, signal);
}

function cut(request: MachinePlanRequest, shape: Shape, calibration: Calibration | null): ModelPlan {
  const workers = Array.from({ length: shape.workers }, (_, index) => ({
    worker: `worker ${index + 1}`,
    memoryTotal: shape.memory,
    raw: null,
    calibration,
  }));
  return planModel({ ...modelRequest(request.model, request.options), workers, kvPages: null, lastPlan: [] });
}
