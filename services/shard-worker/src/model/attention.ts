import type { Graph, Tensor } from "@rhone/ggml";
import type { ModelConfig } from "@rhone/model";
import { gatherKeys, gatherValues, type Pages, type VisiblePages } from "../kv-cache/pages.js";
import type { LayerWeights } from "./load-weights.js";

/** Rows of the micro-batch that attend in one operation: `see.sequences` sequences with `count` rows each. */
export interface SpanGroup {
  /** Rows [row, row + see.sequences * count) of the micro-batch. */
  readonly row: number;
  readonly count: number;
  readonly see: VisiblePages;
  /** f16 [sequences, 1, count, positions] (ne [positions, count, 1, sequences]): 0 or -Infinity. */
  readonly mask: Tensor;
}

/** What every layer's attention needs of the step. */
export interface AttentionInputs {
  /** i32 [rows]: absolute positions, for RoPE. */
  readonly positions: Tensor;
  /** i32 [rows]: the row of the cache that each row's K and V go to. */
  readonly cacheRows: Tensor;
  readonly groups: readonly SpanGroup[];
  readonly ropeFreqs: Tensor | undefined;
}

export interface AttentionLayer {
  readonly config: ModelConfig;
  readonly weights: LayerWeights;
  readonly pages: Pages;
  readonly layer: number;
}

/** Writes the K and V of `x` (f32 [rows, dim], normed) to the layer's pages, before anything that is described later reads them. */
export function remember(
  graph: Graph,
  x: Tensor,
  { config, weights, pages, layer }: AttentionLayer,
  inputs: AttentionInputs,
): void {
  const { headDim, nKvHeads } = config;
  const rows = x.ne[1];
  const heads = graph.reshape3d(graph.mulMat(weights.attnK, x), headDim, nKvHeads, rows);
  const k = graph.reshape2d(rotate(graph, heads, config, inputs), pages.shape.kvDim, rows);
  const v = graph.mulMat(weights.attnV, x);
  graph.expand(graph.setRows(pages.keys(layer), k, inputs.cacheRows));
  graph.expand(graph.setRows(pages.values(layer), v, inputs.cacheRows));
}

/**
 * Grouped-query attention of one layer over its pages, without the output projection. x: f32 [rows, dim] (ne [dim, rows]),
 * normed; the result is f32 [rows, nHeads * headDim].
 */
export function attend(
  graph: Graph,
  x: Tensor,
  { config, weights, pages, layer }: AttentionLayer,
  inputs: AttentionInputs,
): Tensor {
  const { headDim, nHeads } = config;
  const heads = graph.reshape3d(graph.mulMat(weights.attnQ, x), headDim, nHeads, x.ne[1]);
  const q = rotate(graph, heads, config, inputs);
  const [, head, token] = q.nb;
  const shape = { ...pages.shape, headDim };
  const attended = inputs.groups.map(({ row, count, see, mask }) => {
    const { sequences } = see;
    const ne = [headDim, count, nHeads, sequences] as const;
    const queries = graph.view4d(q, ne, [token, head, count * token], row * token);
    const exact = count >= TILE_ROWS ? "as stored" : "f32";
    const result = graph.flashAttnExt(
      queries,
      gatherKeys(graph, pages.keys(layer), shape, see),
      gatherValues(graph, pages.values(layer), shape, { see, exact }),
      { scale: 1 / Math.sqrt(headDim), mask },
    );
    return graph.reshape2d(result, headDim * nHeads, count * sequences);
  });
  return concatRows(graph, attended);
}

/**
 * From so many rows on ggml's CPU attention works in tiles, which add up in f32 and want V in K's type. Below, it adds up f16
 * values in f16, which costs 0.04 of log-probability on a small model: f32 values add up in f32.
 */
const TILE_ROWS = 64;

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
