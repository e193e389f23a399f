import { RhoneError } from "@rhone/common";
import type { Graph, Tensor } from "@rhone/ggml";
import type { ModelConfig } from "@rhone/model";
import type { Pages } from "../kv-cache/pages.js";
import { type AttentionInputs, attend, remember } from "./attention.js";
import { feedForward } from "./feed-forward.js";
import type { ShardWeights } from "./load-weights.js";

export interface Shard {
  readonly config: ModelConfig;
  readonly weights: ShardWeights;
  readonly pages: Pages;
}

/** The rows that are wanted of the shard's last layer: all, none (only K and V are kept), or those that an i32 tensor lists. */
export type WantedRows = "all" | "none" | Tensor;

/**
 * The shard's layers, in order. x: f32 [rows, dim] (ne [dim, rows]). Returns the wanted rows, f32 [wanted, dim]; undefined for
 * "none". Rows that nobody wants leave after the last layer's attention.
 */
export function transformer(
  graph: Graph,
  x: Tensor,
  { config, weights, pages }: Shard,
  { inputs, wanted }: { readonly inputs: AttentionInputs; readonly wanted: WantedRows },
): Tensor | undefined {
  let hidden = x;
  const norm = (y: Tensor, weight: Tensor): Tensor => graph.mul(graph.rmsNorm(y, config.normEps), weight);
  const last = Math.max(...weights.layers.keys());
  for (const [layer, layerWeights] of weights.layers) {
    const place = { config, weights: layerWeights, pages, layer };
    const normed = norm(hidden, layerWeights.attnNorm);
    remember(graph, normed, place, inputs);
    if (layer === last && wanted === "none") return undefined;
    const select = (y: Tensor): Tensor => (layer === last && typeof wanted === "object" ? graph.getRows(y, wanted) : y);
    const attended = select(attend(graph, normed, place, inputs));
    hidden = graph.add(select(hidden), graph.mulMat(layerWeights.attnOutput, attended));
    hidden = graph.add(hidden, feedForward(graph, norm(hidden, layerWeights.ffnNorm), layerWeights));
  }
  return hidden;
}

/** Token ids i32 [rows] -> f32 [rows, dim] (ne [dim, rows]). */
export function embed(graph: Graph, tokens: Tensor, { outer }: ShardWeights): Tensor {
  return graph.getRows(need(outer.tokenEmbedding, "token embedding"), tokens);
}

/** The final norm. Hidden f32 [rows, dim] -> f32 [rows, dim], what the head reads and what embeddings are pooled from. */
export function finalNorm(graph: Graph, hidden: Tensor, { config, weights }: Shard): Tensor {
  return graph.mul(graph.rmsNorm(hidden, config.normEps), need(weights.outer.outputNorm, "output norm"));
}

/** Normed f32 [rows, dim] -> logits f32 [rows, vocabSize] (ne [vocabSize, rows]). */
export function head(graph: Graph, normed: Tensor, { weights }: Shard): Tensor {
  return graph.mulMat(need(weights.outer.output, "output head"), normed);
}

function need(tensor: Tensor | undefined, what: string): Tensor {
  if (tensor === undefined) throw new RhoneError("STAGE_FAILED", `This stage holds no ${what}.`);
  return tensor;
}
