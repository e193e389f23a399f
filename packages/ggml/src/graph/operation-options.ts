import type { Tensor } from "../tensors/tensor.js";

export interface RopeOptions {
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

export interface AttentionOptions {
  /** f16 [nTokens, nKv] (ne [nKv, nTokens]): 0 where a token sees a position, -Infinity where not. */
  readonly mask?: Tensor;
  /** Factor on the scores, commonly 1 / sqrt(headDim). */
  readonly scale: number;
}
