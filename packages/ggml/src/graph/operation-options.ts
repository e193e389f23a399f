import type { Tensor } from "../tensors/tensor.js";

/**
 * Which elements of a head rotate together: "norm" pairs neighbours (2i, 2i + 1), as GGUF files of the `llama`
 * architecture store q and k; "neox" pairs the halves (i, i + dims / 2), as Qwen, Phi and GPT-NeoX do.
 */
export type RopeMode = "norm" | "neox";

export interface RopeOptions {
  readonly mode: RopeMode;
  /** Leading elements of each head that are rotated: the head's size for Llama and Mistral. */
  readonly dims: number;
  readonly freqBase: number;
  /** Factor on positions; 1 when absent. */
  readonly freqScale?: number;
  /** The context that the model was trained on; matters only with scaling, 0 when absent. */
  readonly nCtxOrig?: number;
  /** f32 [dims / 2], divides the frequencies. */
  readonly freqFactors?: Tensor;
}

export interface AttentionOperands {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** f16 [nTokens, nKv] (ne [nKv, nTokens]): 0 where a token sees a position, -Infinity elsewhere. */
  readonly mask?: Tensor;
  /** Factor on the scores, commonly 1 / sqrt(headDim). */
  readonly scale: number;
}

export interface ViewLayout {
  /** Strides of the three outer dimensions, in bytes. */
  readonly nb: readonly [number, number, number];
  /** Where the view begins; 0 when absent. */
  readonly offsetBytes?: number;
}
