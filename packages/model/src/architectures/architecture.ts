import type { RopeMode } from "@rhone/ggml";
import type { Block } from "./block.js";
import type { ModelShape } from "./model-shape.js";

/** A family of models that one block computes. Everything that is particular to it is in this value. */
export interface Architecture<Role extends string = string> {
  /** `general.architecture` of its GGUF files; also the prefix of their keys, as in `llama.block_count`. */
  readonly name: string;
  /** Well-known models of the family, for messages: "Mistral 7B, Llama 1 to 3". */
  readonly models: string;
  /**
   * Which elements of a head of n form a rotated pair: neighbours 2i and 2i + 1 (`norm`), or i and i + n/2 (`neox`).
   * Hugging Face checkpoints are always in the second order; `convert` reorders the rows of q and k for the first.
   */
  readonly ropeMode: RopeMode;
  readonly checkpoint: CheckpointRules;
  /** The tensors of a layer in the order of the forward pass, by the role that `block` calls them by. */
  readonly layerTensors: Readonly<Record<Role, LayerTensor>>;
  readonly block: Block<Role>;
}

/** How a Hugging Face checkpoint of the architecture says what it is. */
export interface CheckpointRules {
  /** Classes under `architectures` in config.json, with the values that transformers assumes for missing keys. */
  readonly classes: Readonly<Record<string, { readonly nKvHeads?: number }>>;
  /**
   * Keys of config.json that change the computation, with the only value that the block computes. `convert` refuses any
   * other value; a missing key means this one.
   */
  readonly settings: Readonly<Record<string, string | boolean>>;
}

/** One tensor of a layer. */
export interface LayerTensor {
  /** Its name in a GGUF file after `blk.N.`: `attn_q.weight`. */
  readonly name: string;
  /** Its name in a Hugging Face checkpoint after `model.layers.N.`: `self_attn.q_proj.weight`. */
  readonly checkpointName: string;
  readonly kind: "matrix" | "norm" | "bias";
  /** Extents, innermost first: a matrix that maps `in` numbers to `out` is [in, out]. */
  readonly ne: (shape: ModelShape) => readonly number[];
  readonly traits: TensorTraits;
}

export interface TensorTraits {
  /** A file may lack it: the block calls it by `bias`. */
  readonly optional?: boolean;
  /** Its rows are q or k, head by head, before RoPE. */
  readonly rotated?: boolean;
  /** Its product is added to the residual stream; `synthesize` scales it down by the depth. */
  readonly writesResidual?: boolean;
  /** Rounding it costs more than rounding the others: mixed quantizations give it more bits in some layers. */
  readonly sensitive?: boolean;
}

type Extents = LayerTensor["ne"];

/** A weight that `linear` multiplies by. */
export const matrix = (name: string, checkpointName: string, ne: Extents): LayerTensor => ({
  name: `${name}.weight`,
  checkpointName: `${checkpointName}.weight`,
  kind: "matrix",
  ne,
  traits: {},
});

/** The factors of an RMS norm, one per element. */
export const norm = (name: string, checkpointName: string, ne: Extents): LayerTensor => ({
  ...matrix(name, checkpointName, ne),
  kind: "norm",
});

/** A bias, one number per row of the matrix with the same names. */
export const bias = (name: string, checkpointName: string, ne: Extents): LayerTensor => ({
  name: `${name}.bias`,
  checkpointName: `${checkpointName}.bias`,
  kind: "bias",
  ne,
  traits: {},
});

const withTrait =
  (trait: keyof TensorTraits) =>
  (tensor: LayerTensor): LayerTensor => ({ ...tensor, traits: { ...tensor.traits, [trait]: true } });

export const optional = withTrait("optional");
export const rotated = withTrait("rotated");
export const writesResidual = withTrait("writesResidual");
export const sensitive = withTrait("sensitive");
