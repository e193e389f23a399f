import { RhoneError } from "@rhone/common/rhone-error";
import type { RopeScaling } from "../architectures/model-shape.js";
import type { TensorInfo } from "../gguf/tensor-info.js";
import type { ArchitectureKeys } from "./architecture-keys.js";

/**
 * `freqs`: the file's `rope_freqs.weight`, if it has one. Throws MODEL_UNSUPPORTED for YaRN, LongRoPE and combinations,
 * naming the key; GGUF_MALFORMED for impossible values.
 */
export function readRopeScaling(
  keys: ArchitectureKeys,
  { freqs, ropeDim }: { readonly freqs: TensorInfo | undefined; readonly ropeDim: number },
): RopeScaling {
  const factor = linearFactor(keys);
  if (freqs === undefined) return factor === 1 ? { kind: "none" } : { kind: "linear", factor };
  if (freqs.ne[0] !== ropeDim / 2) {
    const fault = `${freqs.name} has ${freqs.ne[0]} elements; heads of ${ropeDim} need ${ropeDim / 2}.`;
    throw new RhoneError("GGUF_MALFORMED", `${keys.path}: ${fault}`);
  }
  if (factor === 1) return { kind: "frequency-factors" };
  const both = `linear RoPE scaling by ${factor} together with ${freqs.name}`;
  throw new RhoneError("MODEL_UNSUPPORTED", `${keys.path}: ${both} is not supported.`);
}

function linearFactor(keys: ArchitectureKeys): number {
  const kind = keys.string("rope.scaling.type") ?? "linear";
  if (kind === "none") return 1;
  if (kind !== "linear") {
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `${keys.path}: ${keys.key("rope.scaling.type")} is ${kind}; supported are none, linear and Llama 3's rope_freqs.weight.`,
    );
  }
  // Files from before August 2023 use the older key; in both, 0 means that nothing is scaled.
  const factor = keys.number("rope.scaling.factor") ?? keys.number("rope.scale_linear") ?? 0;
  if (!Number.isFinite(factor) || factor < 0) throw keys.malformed("rope.scaling.factor", `is ${factor}`);
  return factor === 0 ? 1 : factor;
}
