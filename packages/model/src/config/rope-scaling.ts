import { RhoneError } from "@rhone/common";
import { metadataNumber, metadataString } from "../gguf/metadata.js";
import type { GgufFile } from "../gguf/open-gguf.js";

/**
 * How positions are stretched beyond the trained context.
 * linear: every position is divided by `factor`. frequency-factors: Llama 3's, one divisor per rotated pair, from the f32
 * tensor `rope_freqs.weight` [ropeDim / 2].
 */
export type RopeScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  | { readonly kind: "frequency-factors" };

/** Throws MODEL_UNSUPPORTED for YaRN, LongRoPE and combinations, naming the key; GGUF_MALFORMED for impossible values. */
export function readRopeScaling(file: GgufFile, ropeDim: number): RopeScaling {
  const kind = metadataString(file, "llama.rope.scaling.type") ?? "linear";
  if (kind !== "none" && kind !== "linear") {
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `${file.path}: llama.rope.scaling.type is ${kind}; none, linear and Llama 3's rope_freqs.weight are supported`,
    );
  }
  const factor = kind === "none" ? 1 : linearFactor(file);
  const freqs = file.tensors.get("rope_freqs.weight");
  if (freqs === undefined) return factor === 1 ? { kind: "none" } : { kind: "linear", factor };
  if (freqs.ne[0] !== ropeDim / 2) {
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: rope_freqs.weight has ${freqs.ne[0]} elements, not ${ropeDim / 2}`,
    );
  }
  if (factor !== 1) {
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `${file.path}: linear RoPE scaling by ${factor} together with rope_freqs.weight is not supported`,
    );
  }
  return { kind: "frequency-factors" };
}

function linearFactor(file: GgufFile): number {
  // Files from before August 2023 use the older key; in both, 0 means that nothing is scaled.
  const factor =
    metadataNumber(file, "llama.rope.scaling.factor") ?? metadataNumber(file, "llama.rope.scale_linear") ?? 0;
  if (!Number.isFinite(factor) || factor < 0) {
    throw new RhoneError("GGUF_MALFORMED", `${file.path}: llama.rope.scaling.factor is ${factor}`);
  }
  return factor === 0 ? 1 : factor;
}
