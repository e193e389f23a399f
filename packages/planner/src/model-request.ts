import type { KvTypeName } from "@rhone/common";
import { type ModelSummary, pageBytesPerLayer, type WeightSizes } from "@rhone/model";
import type { CountRequest } from "./choose-worker-count.js";
import { SERVING_DEFAULTS } from "./plan-model.js";

type PlannedConfig = "dim" | "nLayers" | "nKvHeads" | "headDim" | "contextLength" | "slidingWindow";

/** What a plan needs of a model: of its file, or of its shape while the file is not there. */
export interface PlannableModel {
  readonly config: Pick<ModelSummary["config"], PlannedConfig>;
  readonly weightBytes: WeightSizes;
}

/** The options of a cluster that decide what its pages take. */
export interface PageOptions {
  readonly kvType: KvTypeName;
  /** Positions that a token sees; 0 = all; absent: as the model's file says. */
  readonly slidingWindow?: number | undefined;
  /** Longest sequence. */
  readonly context?: number | undefined;
  readonly maxSequences?: number | undefined;
  readonly maxRows?: number | undefined;
}

/**
 * A model as the planner sees it, with the settings that a coordinator would have by these options. A context beyond
 * the model's counts as the model's: it is refused elsewhere. Throws INVALID_CONFIG for q8_0 pages that its heads do
 * not divide into.
 */
export function modelRequest(
  { config, weightBytes }: PlannableModel,
  options: PageOptions,
): Pick<CountRequest, "weights" | "shape" | "pageBytes" | "maxSequences"> {
  const { pageSize, contextLimit } = SERVING_DEFAULTS;
  const { maxSequences = SERVING_DEFAULTS.maxSequences, maxRows = SERVING_DEFAULTS.maxRows } = options;
  const { layers, embedding, head, total } = weightBytes;
  return {
    weights: { layerBytes: layers, embeddingBytes: embedding, headBytes: head, wholeBytes: total },
    shape: {
      pageSize,
      maxRows,
      contextLength: Math.min(config.contextLength, options.context ?? contextLimit),
      slidingWindow: options.slidingWindow ?? config.slidingWindow,
    },
    pageBytes: pageBytesPerLayer(config, options.kvType, pageSize),
    maxSequences,
  };
}
