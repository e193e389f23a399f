import { GgmlType, type Graph, type Tensor } from "@rhone/ggml";
import type { ModelConfig } from "@rhone/model";
import { gatherHeads, type Pages, type VisiblePages } from "../kv-cache/pages.js";
import type { LayerWeights } from "./load-weights.js";

/** One span's place in the micro-batch and what its rows see. */
export interface SpanView {
  /** Rows [row, row + count) of the micro-batch. */
  readonly row: number;
  readonly count: number;
  readonly see: VisiblePages;
  /** f16 [count, see.count] (ne [see.count, count]); undefined when the only row sees all of them. */
  readonly mask: Tensor | undefined;
}

/** What every layer's attention needs of the step. */
export interface AttentionInputs {
  /** i32 [rows]: absolute positions, for RoPE. */
  readonly positions: Tensor;
  /** i32 [rows]: the row of the cache that each row's K and V go to. */
  readonly cacheRows: Tensor;
  readonly spans: readonly SpanView[];
  readonly ropeFreqs: Tensor | undefined;
}

export interface AttentionLayer {
  readonly config: ModelConfig;
  readonly weights: LayerWeights;
  readonly pages: Pages;
  readonly layer: number;
}

/**
 * Grouped-query attention of one layer. x: f32 [rows, dim] (ne [dim, rows]), already normed; the result has the same shape.
 * Writes the rows' K and V to the pages before any span reads them.
 */
export function attention(
  graph: Graph,
  x: Tensor,
  { config, weights, pages, layer }: AttentionLayer,
  inputs: AttentionInputs,
): Tensor {
  const { headDim, nHeads, nKvHeads } = config;
  const rows = x.ne[1];
  const project = (weight: Tensor, heads: number): Tensor =>
    graph.reshape3d(graph.mulMat(weight, x), headDim, heads, rows);
  const q = rotate(graph, project(weights.attnQ, nHeads), config, inputs);
  const k = rotate(graph, project(weights.attnK, nKvHeads), config, inputs);
  const v = graph.mulMat(weights.attnV, x);
  const { kvDim } = pages.shape;
  graph.expand(graph.setRows(pages.keys(layer), graph.reshape2d(k, kvDim, rows), inputs.cacheRows));
  graph.expand(graph.setRows(pages.values(layer), v, inputs.cacheRows));

  const shape = { ...pages.shape, headDim };
  const attended = inputs.spans.map(({ row, count, see, mask }) => {
    const queries = graph.view3d(q, [headDim, nHeads, count], [q.nb[1], q.nb[2]], row * q.nb[2]);
    const heads = graph.flashAttnExt(
      graph.permute(queries, [0, 2, 1, 3]),
      gatherHeads(graph, pages.keys(layer), shape, see),
      exactValues(graph, gatherHeads(graph, pages.values(layer), shape, see)),
      { scale: 1 / Math.sqrt(headDim), ...(mask === undefined ? {} : { mask }) },
    );
    return graph.reshape2d(heads, headDim * nHeads, count);
  });
  return graph.mulMat(weights.attnOutput, concatRows(graph, attended));
}

/** ggml's CPU attention adds up f16 values in f16, which costs 0.04 of log-probability on a small model: f32 values add up in f32. */
function exactValues(graph: Graph, values: Tensor): Tensor {
  return values.type === GgmlType.F16 ? graph.cast(values, GgmlType.F32) : values;
}

function rotate(graph: Graph, heads: Tensor, config: ModelConfig, { positions, ropeFreqs }: AttentionInputs): Tensor {
  return graph.ropeExt(heads, positions, {
    dims: config.ropeDim,
    freqBase: config.ropeTheta,
    freqScale: config.ropeScaling.kind === "linear" ? 1 / config.ropeScaling.factor : 1,
    ...(ropeFreqs === undefined ? {} : { freqFactors: ropeFreqs }),
  });
}

/** Joins in pairs, so that each row is copied log2(parts) times at most. */
function concatRows(graph: Graph, parts: readonly Tensor[]): Tensor {
  const [first, second] = parts;
  if (first === undefined) throw new RangeError("a step without rows has no attention");
  if (second === undefined) return first;
  const half = Math.ceil(parts.length / 2);
  return graph.concat(concatRows(graph, parts.slice(0, half)), concatRows(graph, parts.slice(half)), 1);
}
