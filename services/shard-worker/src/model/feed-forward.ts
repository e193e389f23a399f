import type { Graph, Tensor } from "@rhone/ggml";
import type { LayerWeights } from "./load-weights.js";

/** SwiGLU: down(silu(gate(x)) * up(x)). x: f32 [rows, dim] (ne [dim, rows]); the result has the same shape. */
export function feedForward(graph: Graph, x: Tensor, weights: LayerWeights): Tensor {
  const gated = graph.swigluSplit(graph.mulMat(weights.ffnGate, x), graph.mulMat(weights.ffnUp, x));
  return graph.mulMat(weights.ffnDown, gated);
}
