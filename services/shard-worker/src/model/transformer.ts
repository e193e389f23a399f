import { RhoneError } from "@rhone/common";
import type { Graph, Tensor } from "@rhone/ggml";
import type { ModelConfig } from "@rhone/model";
import type { AttentionSpan, StepAttention } from "../attention/attention.js";
import type { Pages } from "../kv-cache/pages.js";
import { linear } from "./linear.js";
import type { LayerWeights, ShardWeights } from "./load-weights.js";

export interface Shard {
  readonly config: ModelConfig;
  readonly weights: ShardWeights;
  readonly pages: Pages;
}

/** The rows that are wanted of the shard's last layer: all, none (only K and V are kept), or those that an i32 tensor lists. */
export type WantedRows = "all" | "none" | Tensor;

/** What every layer needs of a step. */
export interface LayerInputs {
  /** i32 [rows]: absolute positions, for RoPE. */
  readonly positions: Tensor;
  readonly attention: StepAttention<AttentionSpan>;
}

/**
 * The shard's layers, in order. x: f32 [rows, dim] (ne [dim, rows]). Returns the wanted rows, f32 [wanted, dim]; undefined for
 * "none". Rows that nobody wants leave after the last layer's attention.
 */
export function transformer(
  graph: Graph,
  x: Tensor,
  shard: Shard,
  { step, wanted }: { readonly step: LayerInputs; readonly wanted: WantedRows },
): Tensor | undefined {
  const { config, weights } = shard;
  let hidden = x;
  const norm = (y: Tensor, weight: Tensor): Tensor => graph.mul(graph.rmsNorm(y, config.normEps), weight);
  const last = Math.max(...weights.layers.keys());
  for (const [layer, w] of weights.layers) {
    const normed = norm(hidden, w.attnNorm);
    const q = rotate(graph, linear(graph, normed, w.attnQ), shard, step);
    const k = rotate(graph, linear(graph, normed, w.attnK), shard, step);
    const v = linear(graph, normed, w.attnV);
    const all = step.attention.attend(layer, { q, k, v });
    const select = (y: Tensor): Tensor => (layer === last && typeof wanted === "object" ? graph.getRows(y, wanted) : y);
    const attended = select(all);
    hidden = graph.add(select(hidden), linear(graph, attended, w.attnOutput));
    hidden = graph.add(hidden, feedForward(graph, norm(hidden, w.ffnNorm), w));
  }
  return wanted === "none" ? undefined : hidden;
}

function rotate(graph: Graph, x: Tensor, { config, weights }: Shard, { positions }: LayerInputs): Tensor {
  const { headDim } = config;
  const [width, rows] = x.ne;
  const { ropeFreqs } = weights.outer;
  return graph.ropeExt(graph.reshape3d(x, headDim, width / headDim, rows), positions, {
    dims: config.ropeDim,
    freqBase: config.ropeTheta,
    freqScale: config.ropeScaling.kind === "linear" ? 1 / config.ropeScaling.factor : 1,
    ...(ropeFreqs === undefined ? {} : { freqFactors: ropeFreqs }),
  });
}

/** SwiGLU: down(silu(gate(x)) * up(x)). x: f32 [rows, dim] (ne [dim, rows]); the result has the same shape. */
function feedForward(graph: Graph, x: Tensor, w: LayerWeights): Tensor {
  const gated = graph.swigluSplit(linear(graph, x, w.ffnGate), linear(graph, x, w.ffnUp));
  return linear(graph, gated, w.ffnDown);
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
  return linear(graph, normed, need(weights.outer.output, "output head"));
}

function need(tensor: Tensor | undefined, what: string): Tensor {
  if (tensor === undefined) throw new RhoneError("STAGE_FAILED", `This stage holds no ${what}.`);
  return tensor;
}
