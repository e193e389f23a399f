import { type Backend, Graph, typeInfo } from "@rhone/ggml";
import { type AttentionShapeOptions, PagedAttention } from "../attention/paged-attention.js";
import type { ShardWeights } from "../model/load-weights.js";

export interface VaryingShard extends AttentionShapeOptions {
  readonly weights: Pick<ShardWeights, "unpacked">;
}

/**
 * Why a row's result may depend on the rows that are computed beside it, in words; empty where it does not: every
 * product and the attention are computed by Rhone's kernels.
 */
export function whyVaries(backend: Backend, { weights, pages, config }: VaryingShard): string {
  const { kernels, device } = backend;
  if (kernels === undefined) return `ggml computes everything on ${device.name}`;
  const [first, ...others] = weights.unpacked;
  if (first !== undefined) {
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    return `ggml computes products with ${first.name}, ${typeInfo(first.type).name}${more}`;
  }
  const graph = Graph.open(backend, { maxTensors: 1 });
  try {
    if (PagedAttention.isPossible(graph, { pages, config })) return "";
  } finally {
    graph.close();
  }
  return `ggml computes attention with heads of ${config.headDim} over ${typeInfo(pages.shape.type).name} pages`;
}
