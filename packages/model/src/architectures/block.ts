import type { Tensor } from "@rhone/ggml";

/** Queries, keys and values of a layer, one row per token of the step; q and k after RoPE. */
export interface Heads {
  /** f32 [rows, nHeads, headDim] (ne [headDim, nHeads, rows]). */
  readonly q: Tensor;
  /** f32 [rows, nKvHeads, headDim] (ne [headDim, nKvHeads, rows]). */
  readonly k: Tensor;
  /** f32 [rows, nKvHeads * headDim] (ne [nKvHeads * headDim, rows]). */
  readonly v: Tensor;
}

/**
 * One layer of a loaded model during one step: its weights, called by role, and the operations that a block is made of.
 * The shard-worker implements it; a block only describes, and nothing is computed before the whole step is described.
 */
export interface Layer<Role extends string = string> {
  /** x / sqrt(mean(x²) + normEps) * weight, along the innermost dimension: of a row, or of a head. */
  norm(x: Tensor, weight: Role): Tensor;
  /**
   * x · weightᵀ: f32 [rows, in] -> f32 [rows, out]. A block that asks for all products of an x before it uses one lets
   * the kernels compute them together.
   */
  linear(x: Tensor, weight: Role): Tensor;
  /** x + bias in each row; x itself where the file has no such tensor. */
  bias(x: Tensor, bias: Role): Tensor;
  /** The same numbers head by head: f32 [rows, n * headDim] -> f32 [rows, n, headDim] (ne [headDim, n, rows]). */
  heads(x: Tensor): Tensor;
  /** Rotates each head by its row's position, in the architecture's RoPE mode. */
  rope(heads: Tensor): Tensor;
  /**
   * Writes k and v to the layer's K/V pages and attends, causally and within the sliding window:
   * f32 [rows, nHeads * headDim]. The last layer of a model drops rows that nobody reads, from `attended` and from
   * `residual` alike, so a block continues with both results and with nothing else.
   */
  attend(heads: Heads & { readonly residual: Tensor }): { readonly attended: Tensor; readonly residual: Tensor };
  /** a + b, of one shape. */
  add(a: Tensor, b: Tensor): Tensor;
  /** silu(gate) * up, of one shape. */
  swiglu(gate: Tensor, up: Tensor): Tensor;
}

/** What one layer computes. x: f32 [rows, dim] (ne [dim, rows]); the result has the shape of attend's residual. */
export type Block<Role extends string = string> = (x: Tensor, layer: Layer<Role>) => Tensor;
