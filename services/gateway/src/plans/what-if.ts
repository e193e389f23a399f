import { type ClusterStatus, kvTypeSchema } from "@rhone/common";
import {
  type Calibration,
  mergeCalibrations,
  modelRequest,
  type PlannableModel,
  planModel,
  predict,
  SERVING_DEFAULTS,
} from "@rhone/planner";
import { z } from "zod";

/** Bits of a weight by type, scales included. */
const WEIGHT_BITS = {
  q4_0: 4.5,
  q4_k_m: 4.85,
  q5_k_m: 5.68,
  q6_k: 6.56,
  q8_0: 8.5,
  f16: 16,
  f32: 32,
} as const;

const MOST_WORKERS = 256;

/** Of POST /v1/plan. */
export const planRequestSchema = z.object({
  model: z.string().optional(),
  /** Alike, each as fast as the fastest that serves the model now. */
  workers: z.number().int().min(1).max(MOST_WORKERS),
  /** Bytes that each may use. */
  memory: z.number().int().min(1).max(1e15),
  /** Type of the weights; default: the file's. */
  weights: z.enum(Object.keys(WEIGHT_BITS) as [keyof typeof WEIGHT_BITS]).optional(),
  kv_type: kvTypeSchema.optional(),
  /** Longest sequence; default: the running pipeline's. */
  context: z.number().int().min(2).max(1e7).optional(),
  /** Most sequences at a time. */
  sequences: z.number().int().min(1).max(65_536).optional(),
  /** Numbers of streams to predict for. */
  streams: z.array(z.number().int().min(1).max(65_536)).min(1).max(8).optional(),
});
export type PlanFields = z.output<typeof planRequestSchema>;

const count = z.number();

/** Of POST /v1/plan. */
export const planAnswerSchema = z.object({
  object: z.literal("plan"),
  model: z.string(),
  stages: z.array(
    z.object({ first: count, last: count, weight_bytes: count, page_bytes: count, memory_bytes: count }).meta({
      description: "Layers [first, last), and what its worker's memory has to hold.",
    }),
  ),
  pages: count,
  page_size: count,
  context: count,
  kv_type: kvTypeSchema,
  /** Null where no worker has timed these layers. */
  predictions: z.array(z.object({ streams: count, tokens_per_second: count })).nullable(),
  /** Why there are none, in words; null: there are. */
  unpredicted: z.string().nullable(),
});

export interface WhatIf {
  /** As clients call it. */
  readonly name: string;
  readonly model: PlannableModel & { readonly nParameters: number };
  /** That serve it now. */
  readonly pipelines: readonly ClusterStatus[];
  readonly asked: PlanFields;
}

const STREAMS = [1, 8, 32];

/**
 * How workers that are not there would share a model, and how fast they would be by what those that are there measured.
 * Pure. Throws NOT_ENOUGH_MEMORY with each worker's numbers, INVALID_CONFIG for more workers than layers.
 */
export function whatIf({ name, model, pipelines, asked }: WhatIf): z.output<typeof planAnswerSchema> {
  const [now] = pipelines;
  const kvType = asked.kv_type ?? now?.kvType ?? "f16";
  const options = {
    kvType,
    context: asked.context ?? now?.model.contextLength,
    maxSequences: asked.sequences ?? now?.sequences.limit ?? SERVING_DEFAULTS.maxSequences,
  };
  const request = modelRequest(withType(model, asked.weights), options);
  const calibration = measured(pipelines);
  const workers = Array.from({ length: asked.workers }, (_, index) => ({
    ...{ worker: `worker ${index + 1}`, memoryTotal: asked.memory },
    ...{ raw: null, calibration },
  }));
  const { stages, pages } = planModel({ ...request, workers, kvPages: null, lastPlan: [] });
  const unpredicted = whyUnpredicted(calibration, asked, pipelines);
  const predicted = unpredicted === null && calibration !== null ? { ...calibration } : null;
  return {
    object: "plan",
    model: name,
    stages: stages.map(({ first, last, weightBytes, memoryTotal }) => {
      const pageBytes = pages * request.pageBytes * (last - first);
      return { first, last, weight_bytes: weightBytes, page_bytes: pageBytes, memory_bytes: memoryTotal };
    }),
    pages,
    page_size: request.shape.pageSize,
    context: request.shape.contextLength,
    kv_type: kvType,
    predictions:
      predicted === null
        ? null
        : (asked.streams ?? STREAMS).map((streams) => {
            const timed = stages.map(({ first, last, heads }) => ({ ...predicted, layers: last - first, heads }));
            const { tokensPerSecond } = predict(timed, Math.min(streams, options.maxSequences));
            return { streams, tokens_per_second: tokensPerSecond };
          }),
    unpredicted,
  };
}

/** The model with weights of another type, each tensor as much larger or smaller as its average weight. */
function withType(model: WhatIf["model"], type: PlanFields["weights"]): PlannableModel {
  if (type === undefined) return model;
  const { total, embedding, head, layers } = model.weightBytes;
  const ratio = (WEIGHT_BITS[type] * model.nParameters) / (8 * total);
  const scaled = (bytes: number) => Math.round(bytes * ratio);
  const weightBytes = {
    total: scaled(total),
    embedding: scaled(embedding),
    head: scaled(head),
    layers: layers.map(scaled),
  };
  return { config: model.config, weightBytes };
}

/** What the workers that serve the model have measured; null: none has, or none that has the head. */
function measured(pipelines: readonly ClusterStatus[]): Calibration | null {
  const all = pipelines.flatMap(({ workers, model }) =>
    workers.flatMap(({ stepTimes, layers }): Calibration[] =>
      stepTimes === null || layers === null ? [] : [{ ...stepTimes, head: layers[1] === model.nLayers }],
    ),
  );
  return all.some(({ head }) => head) ? mergeCalibrations(all) : null;
}

function whyUnpredicted(
  calibration: Calibration | null,
  { weights }: PlanFields,
  pipelines: readonly ClusterStatus[],
): string | null {
  if (weights !== undefined) return "No worker has timed weights of this type.";
  if (pipelines.some(({ simulated }) => simulated)) return "The cluster is simulated: its workers compute nothing.";
  return calibration === null ? "No worker has timed the model's layers and its head yet." : null;
}
