import type { Graph, Tensor } from "@rhone/ggml";

/**
 * x · weightᵀ: f32 [rows, in] (ne [in, rows]) and a weight [out, in] (ne [in, out]) of any type give f32 [rows, out]
 * (ne [out, rows]). The only place where the worker multiplies by a weight, so a product of our own replaces one line.
 */
export function linear(graph: Graph, x: Tensor, weight: Tensor): Tensor {
  return graph.mulMat(weight, x);
}
