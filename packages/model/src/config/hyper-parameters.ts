import { RhoneError } from "@rhone/common";
import { metadataNumber } from "../gguf/metadata.js";
import type { GgufFile } from "../gguf/open-gguf.js";

/** The numbers under `llama.*` that give the tensors their shapes. */
export interface HyperParameters {
  readonly dim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly hiddenDim: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  readonly ropeDim: number;
  readonly contextLength: number;
}

const DEFAULT_ROPE_THETA = 10_000;

/** Reads and cross-checks `llama.*`. Throws GGUF_MALFORMED or MODEL_UNSUPPORTED naming the key. */
export function readHyperParameters(file: GgufFile): HyperParameters {
  const dim = count(file, "llama.embedding_length");
  const nHeads = count(file, "llama.attention.head_count");
  const headDim = count(file, "llama.attention.key_length", dim / nHeads);
  const hyperParameters = {
    dim,
    nLayers: count(file, "llama.block_count"),
    nHeads,
    nKvHeads: count(file, "llama.attention.head_count_kv", nHeads),
    headDim,
    hiddenDim: count(file, "llama.feed_forward_length"),
    normEps: positive(file, "llama.attention.layer_norm_rms_epsilon"),
    ropeTheta: positive(file, "llama.rope.freq_base", DEFAULT_ROPE_THETA),
    ropeDim: count(file, "llama.rope.dimension_count", headDim),
    contextLength: count(file, "llama.context_length"),
  };
  checkHeads(file, hyperParameters);
  return hyperParameters;
}

function checkHeads(file: GgufFile, { nHeads, nKvHeads, headDim, ropeDim }: HyperParameters): void {
  if (nHeads % nKvHeads !== 0) {
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: ${nHeads} heads cannot share ${nKvHeads} key-value heads evenly`,
    );
  }
  const valueLength = count(file, "llama.attention.value_length", headDim);
  if (valueLength !== headDim) {
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `${file.path}: llama.attention.value_length ${valueLength} differs from the key length ${headDim}`,
    );
  }
  if (ropeDim !== headDim || headDim % 2 !== 0) {
    throw new RhoneError(
      "GGUF_MALFORMED",
      `${file.path}: llama.rope.dimension_count is ${ropeDim}; architecture llama rotates whole heads of an even size, here ${headDim}`,
    );
  }
}

function count(file: GgufFile, key: string, otherwise?: number): number {
  const value = positive(file, key, otherwise);
  if (Number.isInteger(value)) return value;
  throw new RhoneError("GGUF_MALFORMED", `${file.path}: ${key} is ${value}, not a whole number`);
}

function positive(file: GgufFile, key: string, otherwise?: number): number {
  const value = metadataNumber(file, key) ?? otherwise;
  if (value === undefined) throw new RhoneError("GGUF_MALFORMED", `${file.path}: the key ${key} is missing`);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RhoneError("GGUF_MALFORMED", `${file.path}: ${key} is ${value}, but must be above 0`);
}
