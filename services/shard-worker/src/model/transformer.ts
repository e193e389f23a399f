import { RhoneError } from "@rhone/common";
import type { Graph, Tensor } from "@rhone/ggml";
import type { ModelConfig } from "@rhone/model";
import type { Pages } from "../kv-cache/pages.js";
import { GraphLayer, type LayerInputs } from "./layer.js";
import { linear } from "./linear.js";
import type { ShardWeights } from "./load-weights.js";

export interface Shard {
  readonly config: ModelConfig;
  readonly weights: ShardWeights;
  readonly pages: Pages;
}

/**
 * Which rows of the last layer's output to compute: all, none (only K and V are written), or those that an i32 tensor
 * lists.
 */
export type WantedRows = "all" | "none" | Tensor;

/**
 * The shard's layers, in order. x: f32 [rows, dim] (ne [dim, rows]). Returns the wanted rows, f32 [wanted, dim];
 * undefined for "none". The last layer drops the other rows after its attention.
 */
export function transformer(
  graph: Graph,
  { config, weights }: Shard,
  { x, step, wanted }: { readonly x: Tensor; readonly step: LayerInputs; readonly wanted: WantedRows },
): Tensor | undefined {
  const { ropeFreqs } = weights.outer;
  const last = Math.max(...weights.layers.keys());
  let hidden = x;
  for (const [index, layerWeights] of weights.layers) {
    const keep = index === last && typeof wanted === "object" ? wanted : undefined;
    const layer = new GraphLayer(graph, { config, weights: layerWeights, ropeFreqs, index, step, keep });
    hidden = config.architecture.block(hidden, layer);
  }
  // Without an output nothing computes the last layer beyond its K and V.
  return wanted === "none" ? undefined : hidden;
}

/** Token ids i32 [rows] -> f32 [rows, dim] (ne [dim, rows]). */
export function embed(graph: Graph, tokens: Tensor, { outer }: ShardWeights): Tensor {
  return graph.getRows(need(outer.tokenEmbedding, "token embedding"), tokens);
}

/**
 * The final norm. Hidden f32 [rows, dim] -> f32 [rows, dim], what the head reads and what embeddings are pooled from.
 */
export function finalNorm(graph: Graph, hidden: Tensor, { config, weights }: Shard): Tensor {
  return graph.mul(graph.rmsNorm(hidden, config.normEps), need(weights.outer.outputNorm, "output norm"));
}

/** Normed f32 [rows, dim] -> logits f32 [rows, vocabSize] (ne [vocabSize, rows]). */
export function head(graph: Graph, normed: Tensor, { weights }: Shard): Tensor {
  return linear(graph, normed, need(weights.outer.output, "output head"));
}

function need(tensor: Tensor | undefined, what: string): Tensor {
  if (tensor === undefined) throw new RhoneError("STAGE_FAILED", `This stage holds no ${what}.`);
  return tensor;
}
