import { RhoneError } from "@rhone/common/rhone-error";
import type { HyperParameters } from "../architectures/model-shape.js";
import type { ArchitectureKeys } from "./architecture-keys.js";

const DEFAULT_ROPE_THETA = 10_000;

/** Reads and cross-checks the hyper-parameters. Throws GGUF_MALFORMED or MODEL_UNSUPPORTED naming the key. */
export function readHyperParameters(keys: ArchitectureKeys): HyperParameters {
  const dim = keys.count("embedding_length");
  const nHeads = keys.count("attention.head_count");
  const headDim = keys.count("attention.key_length", dim / nHeads);
  const hyperParameters = {
    dim,
    nLayers: keys.count("block_count"),
    nHeads,
    nKvHeads: keys.count("attention.head_count_kv", nHeads),
    headDim,
    hiddenDim: keys.count("feed_forward_length"),
    normEps: keys.positive("attention.layer_norm_rms_epsilon"),
    ropeTheta: keys.positive("rope.freq_base", DEFAULT_ROPE_THETA),
    ropeDim: keys.count("rope.dimension_count", headDim),
    contextLength: keys.count("context_length"),
  };
  checkHeads(keys, hyperParameters);
  return hyperParameters;
}

function checkHeads(keys: ArchitectureKeys, { nHeads, nKvHeads, headDim, ropeDim }: HyperParameters): void {
  if (nHeads % nKvHeads !== 0) {
    throw keys.malformed("attention.head_count_kv", `is ${nKvHeads}, which does not divide the ${nHeads} heads`);
  }
  const valueLength = keys.count("attention.value_length", headDim);
  if (valueLength !== headDim) {
    const key = keys.key("attention.value_length");
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `${keys.path}: ${key} ${valueLength} differs from the key length ${headDim}.`,
    );
  }
  if (ropeDim !== headDim || headDim % 2 !== 0) {
    throw keys.malformed(
      "rope.dimension_count",
      `is ${ropeDim}; Rhone rotates whole heads of an even size, here ${headDim}`,
    );
  }
}
