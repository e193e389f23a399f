import { RhoneError } from "@rhone/common";
import { type Graph, PackedWeight, type RopeOptions, type Tensor, type Weight } from "@rhone/ggml";
import type { Heads, Layer, ModelConfig } from "@rhone/model";
import type { AttentionSpan, StepAttention } from "../attention/attention.js";
import type { Pages } from "../kv-cache/pages.js";
import { add, linear, norm, swiglu } from "./linear.js";
import type { LayerWeights, ShardWeights } from "./load-weights.js";

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
  const factors = need(weights.outer.outputNorm, "output norm");
  return norm(graph, hidden, { factors, eps: config.normEps });
}

/** Normed f32 [rows, dim] -> logits f32 [rows, vocabSize] (ne [vocabSize, rows]). */
export function head(graph: Graph, normed: Tensor, { weights }: Shard): Tensor {
  return linear(graph, normed, need(weights.outer.output, "output head"));
}

function need<W extends Weight>(weight: W | undefined, what: string): W {
  if (weight === undefined) throw new RhoneError("STAGE_FAILED", `This stage holds no ${what}.`);
  return weight;
}

/** What every layer needs of a step. */
export interface LayerInputs {
  /** i32 [rows]: absolute positions, for RoPE. */
  readonly positions: Tensor;
  readonly attention: StepAttention<AttentionSpan>;
}

interface GraphLayerOptions {
  readonly config: ModelConfig;
  readonly weights: LayerWeights;
  /** f32 [ropeDim / 2]: divisors of the frequencies, of a model that has them. */
  readonly ropeFreqs: Tensor | undefined;
  /** The model's own number of the layer. */
  readonly index: number;
  readonly step: LayerInputs;
  /** i32 [wanted]: the rows to go on with after attention; undefined: all. */
  readonly keep: Tensor | undefined;
}

function ropeOf({ config, ropeFreqs }: GraphLayerOptions): RopeOptions {
  return {
    mode: config.architecture.ropeMode,
    dims: config.ropeDim,
    freqBase: config.ropeTheta,
    freqScale: config.ropeScaling.kind === "linear" ? 1 / config.ropeScaling.factor : 1,
    ...(ropeFreqs === undefined ? {} : { freqFactors: ropeFreqs }),
  };
}

/** A layer as an architecture's block sees it: each operation adds nodes to the step's graph. */
class GraphLayer implements Layer {
  readonly #graph: Graph;
  readonly #options: GraphLayerOptions;
  readonly #rope: RopeOptions;
  /** What each result of `rope` is made of: attention may rotate it itself. */
  readonly #unrotated = new Map<Tensor, Tensor>();

  constructor(graph: Graph, options: GraphLayerOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#rope = ropeOf(options);
  }

  norm(x: Tensor, weight: string): Tensor {
    return norm(this.#graph, x, { factors: this.#tensor(weight), eps: this.#options.config.normEps });
  }

  linear(x: Tensor, weight: string): Tensor {
    return linear(this.#graph, x, this.#weight(weight));
  }

  bias(x: Tensor, bias: string): Tensor {
    return this.#options.weights.has(bias) ? this.#graph.add(x, this.#tensor(bias)) : x;
  }

  heads(x: Tensor): Tensor {
    const { headDim } = this.#options.config;
    const [width, rows] = x.ne;
    return this.#graph.reshape3d(x, [headDim, width / headDim, rows]);
  }

  rope(heads: Tensor): Tensor {
    const graph = this.#graph;
    const rotated = graph.later(() => graph.ropeExt(heads, this.#options.step.positions, this.#rope));
    this.#unrotated.set(rotated, heads);
    return rotated;
  }

  attend({ residual, ...heads }: Heads & { readonly residual: Tensor }): { attended: Tensor; residual: Tensor } {
    const { step, index, keep } = this.#options;
    const [q, k] = [this.#unrotated.get(heads.q), this.#unrotated.get(heads.k)];
    const unrotated = q === undefined || k === undefined ? undefined : { q, k, rope: this.#rope };
    const attended = step.attention.attend(index, heads, unrotated);
    if (keep === undefined) return { attended, residual };
    return { attended: this.#graph.getRows(attended, keep), residual: this.#graph.getRows(residual, keep) };
  }

  add(a: Tensor, b: Tensor): Tensor {
    return add(this.#graph, a, b);
  }

  swiglu(gate: Tensor, up: Tensor): Tensor {
    return swiglu(this.#graph, gate, up);
  }

  /** A weight that is no matrix, which is never packed. */
  #tensor(role: string): Tensor {
    const weight = this.#weight(role);
    if (!(weight instanceof PackedWeight)) return weight;
    throw new RhoneError("STAGE_FAILED", `Layer ${this.#options.index} has a matrix ${role} where it needs a vector.`);
  }

  #weight(role: string): Weight {
    const { weights, index, config } = this.#options;
    const weight = weights.get(role);
    if (weight !== undefined) return weight;
    const message = `Layer ${index} holds no tensor ${role}, which the block of ${config.architecture.name} asks for.`;
    throw new RhoneError("STAGE_FAILED", message);
  }
}
