import { RhoneError } from "@rhone/common";
import type { Graph, Tensor } from "@rhone/ggml";
import type { ModelConfig } from "@rhone/model";
import type { Pages } from "../kv-cache/pages.js";
import { type AttentionInputs, attention } from "./attention.js";
import { feedForward } from "./feed-forward.js";
import type { ShardWeights } from "./load-weights.js";

export interface Shard {
  readonly config: ModelConfig;
  readonly weights: ShardWeights;
  readonly pages: Pages;
}

/** The shard's layers, in order. x: f32 [rows, dim] (ne [dim, rows]); the result has the same shape. */
export function transformer(
  graph: Graph,
  x: Tensor,
  { config, weights, pages }: Shard,
  inputs: AttentionInputs,
): Tensor {
  let hidden = x;
  for (const [layer, layerWeights] of weights.layers) {
    const norm = (y: Tensor, weight: Tensor): Tensor => graph.mul(graph.rmsNorm(y, config.normEps), weight);
    const place = { config, weights: layerWeights, pages, layer };
    hidden = graph.add(hidden, attention(graph, norm(hidden, layerWeights.attnNorm), place, inputs));
    hidden = graph.add(hidden, feedForward(graph, norm(hidden, layerWeights.ffnNorm), layerWeights));
  }
  return hidden;
}

/** Token ids i32 [rows] -> f32 [rows, dim] (ne [dim, rows]). */
export function embed(graph: Graph, tokens: Tensor, { outer }: ShardWeights): Tensor {
  return graph.getRows(need(outer.tokenEmbedding, "token embedding"), tokens);
}

/** Logits of the chosen rows: hidden f32 [rows, dim], chosen i32 [n] -> f32 [n, vocabSize] (ne [vocabSize, n]). */
export function head(graph: Graph, hidden: Tensor, chosen: Tensor, { config, weights }: Shard): Tensor {
  const { outputNorm, output } = weights.outer;
  const rows = graph.getRows(hidden, chosen);
  const normed = graph.mul(graph.rmsNorm(rows, config.normEps), need(outputNorm, "output norm"));
  return graph.mulMat(need(output, "output head"), normed);
}

function need(tensor: Tensor | undefined, what: string): Tensor {
  if (tensor === undefined) throw new RhoneError("STAGE_FAILED", `This stage holds no ${what}.`);
  return tensor;
}
