import type { WeightUse } from "@rhone/ggml";
import type { Architecture, TensorTraits } from "./architecture.js";
import type { ModelShape, ShardRange } from "./model-shape.js";

/** The tensors around the layers, the same in every architecture. */
export type OuterRole = "tokenEmbedding" | "ropeFreqs" | "outputNorm" | "output";

/** One tensor of a model. */
export type ModelTensor = (
  | { readonly role: OuterRole; readonly layer?: undefined }
  | { readonly role: string; readonly layer: number }
) & {
  /** Its name in a GGUF file. */
  readonly name: string;
  /** Its name in a Hugging Face checkpoint; undefined for RoPE factors, which no checkpoint stores. */
  readonly checkpointName: string | undefined;
  /** Extents, innermost first. */
  readonly ne: readonly number[];
  readonly kind: "matrix" | "norm" | "bias";
  /** How it enters the graph, which decides the memory that it is kept in. */
  readonly use: WeightUse;
  readonly traits: TensorTraits;
};

type Model = ModelShape & { readonly architecture: Architecture };

/**
 * The tensors of a part of the model, in the order of the forward pass, optional ones included. With tied embeddings
 * the role `output` carries the name `token_embd.weight`, so that name can occur twice.
 */
export function modelTensors(model: Model, range: ShardRange): readonly ModelTensor[] {
  const { dim, vocabSize, ropeDim, ropeScaling, tiedEmbeddings } = model;
  const embedding = { ...MATRIX, name: "token_embd.weight", checkpointName: "model.embed_tokens.weight" };
  const output = tiedEmbeddings ? embedding : { ...MATRIX, name: "output.weight", checkpointName: "lm_head.weight" };
  const ropeFreqs = { ...NORM, name: "rope_freqs.weight", checkpointName: undefined };
  const outputNorm = { ...NORM, name: "output_norm.weight", checkpointName: "model.norm.weight" };
  const tensors: ModelTensor[] = [];
  if (range.embeds) tensors.push({ ...embedding, role: "tokenEmbedding", ne: [dim, vocabSize], use: "rows" });
  if (ropeScaling.kind === "frequency-factors") tensors.push({ ...ropeFreqs, role: "ropeFreqs", ne: [ropeDim / 2] });
  for (let layer = range.first; layer < range.last; layer++) tensors.push(...layerTensors(model, layer));
  if (range.heads) tensors.push({ ...outputNorm, role: "outputNorm", ne: [dim] });
  if (range.heads) tensors.push({ ...output, role: "output", ne: [dim, vocabSize] });
  return tensors;
}

const MATRIX = { kind: "matrix", use: "matmul", traits: {} } as const;
const NORM = { kind: "norm", use: "norm", traits: {} } as const;

function layerTensors(model: Model, layer: number): readonly ModelTensor[] {
  return Object.entries(model.architecture.layerTensors).map(([role, tensor]) => ({
    role,
    layer,
    name: `blk.${layer}.${tensor.name}`,
    checkpointName: `model.layers.${layer}.${tensor.checkpointName}`,
    ne: tensor.ne(model),
    kind: tensor.kind,
    use: tensor.kind === "matrix" ? "matmul" : "norm",
    traits: tensor.traits,
  }));
}
