import type { Llama3Rope } from "./hugging-face-config.js";

/**
 * Llama 3's divisor of every rotated pair's frequency, f32 [headDim / 2]: 1 for fast pairs, `factor` for those whose wave is
 * longer than the original context, a blend between. Follows transformers' modeling_rope_utils.py.
 */
export function llama3RopeFactors(
  rope: Llama3Rope,
  shape: { readonly headDim: number; readonly theta: number },
): Float32Array {
  const longestKept = rope.originalContextLength / rope.highFreqFactor;
  const shortestStretched = rope.originalContextLength / rope.lowFreqFactor;
  return Float32Array.from({ length: shape.headDim / 2 }, (_, pair) => {
    const wavelength = 2 * Math.PI * shape.theta ** ((2 * pair) / shape.headDim);
    if (wavelength < longestKept) return 1;
    if (wavelength > shortestStretched) return rope.factor;
    const smooth =
      (rope.originalContextLength / wavelength - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor);
    return 1 / ((1 - smooth) / rope.factor + smooth);
  });
}
