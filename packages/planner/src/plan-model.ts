import { type KvShape, livePages } from "./kv-shape.js";
import type { ModelWeights, ShardRange } from "./model-weights.js";
import { LARGEST_SHARE, planPages } from "./plan-pages.js";
import { planStages, type StagePlan, type StageWorker } from "./plan-stages.js";

/** A coordinator's settings when nothing else is asked for; `rhone plan` plans with the same. */
export const SERVING_DEFAULTS = {
  /** Positions per page. */
  pageSize: 32,
  /** Most sequences at a time. */
  maxSequences: 64,
  /** Most tokens per step. */
  maxRows: 512,
  /** Longest context. A longer one must be asked for, since every sequence may claim pages for all of it. */
  contextLimit: 32_768,
} as const;

/** Which workers hold which layers, and how many pages every stage has. */
export interface ModelPlan {
  readonly stages: readonly StagePlan[];
  readonly pages: number;
}

export interface ModelRequest {
  /** In the order of the stages. */
  readonly workers: readonly StageWorker[];
  readonly weights: ModelWeights;
  readonly shape: KvShape;
  /** Bytes of one page in one layer. */
  readonly pageBytes: number;
  readonly maxSequences: number;
  /** Pages that the operator asks for, or null. */
  readonly kvPages: number | null;
  /** The current cut; empty when there is none. */
  readonly lastPlan: readonly ShardRange[];
}

/** Layers and pages of every stage. Pure: equal requests give equal plans. Throws NOT_ENOUGH_MEMORY, INVALID_CONFIG. */
export function planModel(request: ModelRequest): ModelPlan {
  const { workers, weights, shape, pageBytes, maxSequences, kvPages, lastPlan } = request;
  const least = kvPages ?? livePages(shape.contextLength, shape);
  const kvBytesPerLayer = Math.ceil((least * pageBytes) / LARGEST_SHARE);
  const stages = planStages({ workers, weights, kvBytesPerLayer, lastPlan });
  return { stages, pages: planPages({ stages, shape, pageBytes, maxSequences, wanted: kvPages }) };
}
