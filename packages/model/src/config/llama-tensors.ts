import type { ModelConfig } from "./model-config.js";

/** Which part of the model a stage holds: layers [first, last), and what stands before and after all layers. */
export interface ShardRange {
  readonly first: number;
  readonly last: number;
  /** Turns token ids into hidden states: the first stage. */
  readonly embeds: boolean;
  /** Final norm and logits: the last stage. */
  readonly heads: boolean;
}

/** What gives every tensor its shape. */
export type ModelShape = Pick<
  ModelConfig,
  | "dim"
  | "nLayers"
  | "nHeads"
  | "nKvHeads"
  | "headDim"
  | "hiddenDim"
  | "vocabSize"
  | "ropeDim"
  | "ropeScaling"
  | "tiedEmbeddings"
>;

export type LayerRole =
  | "attnNorm"
  | "attnQ"
  | "attnK"
  | "attnV"
  | "attnOutput"
  | "ffnNorm"
  | "ffnGate"
  | "ffnUp"
  | "ffnDown";

export type OuterRole = "tokenEmbedding" | "ropeFreqs" | "outputNorm" | "output";

/** One tensor of a llama model: its place in the forward pass, its name in a GGUF file, its extents, innermost first. */
export type LlamaTensor = { readonly name: string; readonly ne: readonly number[] } & (
  | { readonly role: LayerRole; readonly layer: number }
  | { readonly role: OuterRole; readonly layer?: undefined }
);

/** The part of a layer tensor's name after `blk.N.`, by role. */
export const LAYER_TENSOR_NAMES: Readonly<Record<LayerRole, string>> = {
  attnNorm: "attn_norm",
  attnQ: "attn_q",
  attnK: "attn_k",
  attnV: "attn_v",
  attnOutput: "attn_output",
  ffnNorm: "ffn_norm",
  ffnGate: "ffn_gate",
  ffnUp: "ffn_up",
  ffnDown: "ffn_down",
};

export const wholeModel = ({ nLayers }: Pick<ModelShape, "nLayers">): ShardRange => ({
  first: 0,
  last: nLayers,
  embeds: true,
  heads: true,
});

/**
 * The tensors of a part of the model, in the order of the forward pass. With tied embeddings the role `output` carries the name
 * `token_embd.weight`, so that name can come twice.
 */
export function llamaTensors(shape: ModelShape, range: ShardRange): readonly LlamaTensor[] {
  const { dim, vocabSize } = shape;
  const tensors: LlamaTensor[] = [];
  if (range.embeds) tensors.push({ role: "tokenEmbedding", name: "token_embd.weight", ne: [dim, vocabSize] });
  if (shape.ropeScaling.kind === "frequency-factors") {
    tensors.push({ role: "ropeFreqs", name: "rope_freqs.weight", ne: [shape.ropeDim / 2] });
  }
  const extents = Object.entries(layerExtents(shape)) as [LayerRole, readonly number[]][];
  for (let layer = range.first; layer < range.last; layer++) {
    for (const [role, ne] of extents) {
      tensors.push({ role, layer, name: `blk.${layer}.${LAYER_TENSOR_NAMES[role]}.weight`, ne });
    }
  }
  if (range.heads) {
    tensors.push({ role: "outputNorm", name: "output_norm.weight", ne: [dim] });
    const name = shape.tiedEmbeddings ? "token_embd.weight" : "output.weight";
    tensors.push({ role: "output", name, ne: [dim, vocabSize] });
  }
  return tensors;
}

/** A matrix that maps `in` numbers to `out` is [in, out]. */
function layerExtents(shape: ModelShape): Readonly<Record<LayerRole, readonly number[]>> {
  const { dim, hiddenDim, headDim } = shape;
  const queryDim = shape.nHeads * headDim;
  const kvDim = shape.nKvHeads * headDim;
  return {
    attnNorm: [dim],
    attnQ: [dim, queryDim],
    attnK: [dim, kvDim],
    attnV: [dim, kvDim],
    attnOutput: [queryDim, dim],
    ffnNorm: [dim],
    ffnGate: [dim, hiddenDim],
    ffnUp: [dim, hiddenDim],
    ffnDown: [hiddenDim, dim],
  };
}
