import { RhoneError } from "@rhone/common/rhone-error";
import type { ModelShape } from "../architectures/model-shape.js";
import { isJsonObject, JsonNumbers, type JsonObject } from "./json-file.js";

/** Parameters of Llama 3's RoPE scaling, under config.json's names. */
export interface Llama3Rope {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalContextLength: number;
}

export interface CheckpointRope {
  readonly theta: number;
  readonly scaling: ModelShape["ropeScaling"];
  readonly llama3: Llama3Rope | undefined;
}

/** Most files have `rope_theta` and `rope_scaling` at the top level; newer ones have both in `rope_parameters`. */
export function readRope(path: string, json: JsonObject): CheckpointRope {
  const parameters = [json.rope_parameters, json.rope_scaling].find(isJsonObject) ?? {};
  const read = new JsonNumbers(`${path} (RoPE)`, { ...json, ...parameters });
  const theta = read.positive("rope_theta", 10_000);
  const kind = parameters.rope_type ?? parameters.type ?? "default";
  switch (kind) {
    case "default":
      return { theta, scaling: { kind: "none" }, llama3: undefined };
    case "linear":
      return { theta, scaling: { kind: "linear", factor: read.positive("factor") }, llama3: undefined };
    case "llama3":
      return {
        theta,
        scaling: { kind: "frequency-factors" },
        llama3: {
          factor: read.positive("factor"),
          lowFreqFactor: read.positive("low_freq_factor"),
          highFreqFactor: read.positive("high_freq_factor"),
          originalContextLength: read.count("original_max_position_embeddings"),
        },
      };
    default:
      throw new RhoneError(
        "MODEL_UNSUPPORTED",
        `${path}: RoPE of type ${kind}; supported are default, linear and llama3.`,
      );
  }
}

/**
 * Llama 3's divisors of the rotated pairs' frequencies, f32 [headDim / 2]: 1 for fast pairs, `factor` for pairs whose
 * wavelength exceeds the original context, a blend between. Follows transformers' modeling_rope_utils.py.
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
