import { RhoneError } from "@rhone/common/rhone-error";
import { GgmlType } from "@rhone/ggml";
import type { Architecture } from "../architectures/architecture.js";
import { type ModelShape, wholeModel } from "../architectures/model-shape.js";
import { type ModelTensor, modelTensors } from "../architectures/model-tensors.js";
import type { TensorPlan } from "../gguf/gguf-writer.js";
import { dividesIntoBlocks } from "../gguf/tensor-type.js";

/** The types of files that `rhone model convert` and `synth` write. */
export const QUANTIZATIONS = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q4_k", "q4_k_m"] as const;
export type Quantization = (typeof QUANTIZATIONS)[number];

interface QuantizationRow {
  /** The type of matrices. */
  readonly matrix: GgmlType;
  /** The type of the head, where rounding costs the most. */
  readonly head: GgmlType;
  /** The type of sensitive matrices in the layers of `hasMoreBits`; `matrix` when absent. */
  readonly moreBits?: GgmlType;
  /** llama.cpp's `general.file_type`. */
  readonly fileType: number;
}

const ROWS: Readonly<Record<Quantization, QuantizationRow>> = {
  f32: { matrix: GgmlType.F32, head: GgmlType.F32, fileType: 0 },
  f16: { matrix: GgmlType.F16, head: GgmlType.F16, fileType: 1 },
  bf16: { matrix: GgmlType.BF16, head: GgmlType.BF16, fileType: 32 },
  q8_0: { matrix: GgmlType.Q8_0, head: GgmlType.Q8_0, fileType: 7 },
  q4_0: { matrix: GgmlType.Q4_0, head: GgmlType.Q6_K, fileType: 2 },
  q4_1: { matrix: GgmlType.Q4_1, head: GgmlType.Q6_K, fileType: 3 },
  q4_k: { matrix: GgmlType.Q4_K, head: GgmlType.Q6_K, fileType: 14 },
  q4_k_m: { matrix: GgmlType.Q4_K, head: GgmlType.Q6_K, moreBits: GgmlType.Q6_K, fileType: 15 },
};

/** `name` in any case. Throws INVALID_CONFIG listing the known names. */
export function parseQuantization(name: string): Quantization {
  const known = QUANTIZATIONS.find((quantization) => quantization === name.toLowerCase());
  if (known !== undefined) return known;
  throw new RhoneError("INVALID_CONFIG", `There is no type ${name}; choose one of ${QUANTIZATIONS.join(", ")}.`);
}

export const fileTypeOf = (quantization: Quantization): number => ROWS[quantization].fileType;

/** How much rounding a matrix costs: `more` is a sensitive one in a layer of `hasMoreBits`. */
export type Sensitivity = "usual" | "more" | "head";

/**
 * The type in which a tensor is stored, by llama.cpp's rules: vectors (norms, biases, RoPE factors) stay F32; the head,
 * or an embedding that is also the head, becomes Q6_K in 4-bit files, and so do attn_v and ffn_down of some layers in
 * Q4_K_M; rows that do not divide into blocks of 256 fall back from Q4_K to Q5_0 and from Q6_K to Q8_0, rows that do
 * not divide into blocks of 32 to F16.
 */
export function storageType(
  quantization: Quantization,
  tensor: { readonly ne: readonly number[]; readonly sensitivity: Sensitivity },
): GgmlType {
  if (tensor.ne.length === 1) return GgmlType.F32;
  const { matrix, head, moreBits = matrix } = ROWS[quantization];
  const wanted = { usual: matrix, more: moreBits, head }[tensor.sensitivity];
  const rowElements = tensor.ne[0] ?? 1;
  const candidates = [wanted, FALLBACKS.get(wanted) ?? wanted];
  return candidates.find((type) => dividesIntoBlocks(type, rowElements)) ?? GgmlType.F16;
}

const FALLBACKS: ReadonlyMap<GgmlType, GgmlType> = new Map<GgmlType, GgmlType>([
  [GgmlType.Q4_K, GgmlType.Q5_0],
  [GgmlType.Q6_K, GgmlType.Q8_0],
]);

/** A tensor of a file to be written. */
export type PlannedTensor = ModelTensor & TensorPlan;

/**
 * Every tensor of a file, once, in the order of the forward pass, with the type in which it is stored. `has` decides
 * about the architecture's optional tensors.
 */
export function planTensors(
  model: ModelShape & { readonly architecture: Architecture },
  quantization: Quantization,
  has: (tensor: ModelTensor) => boolean,
): readonly PlannedTensor[] {
  return modelTensors(model, wholeModel(model))
    .filter(({ role }) => role !== "output" || !model.tiedEmbeddings)
    .filter((tensor) => tensor.traits.optional !== true || has(tensor))
    .map((tensor) => {
      return {
        ...tensor,
        type: storageType(quantization, { ne: tensor.ne, sensitivity: sensitivityOf(tensor, model) }),
      };
    });
}

function sensitivityOf(tensor: ModelTensor, { nLayers, tiedEmbeddings }: ModelShape): Sensitivity {
  if (tensor.role === "output" || (tensor.role === "tokenEmbedding" && tiedEmbeddings)) return "head";
  return tensor.traits.sensitive === true && hasMoreBits(tensor.layer ?? 0, nLayers) ? "more" : "usual";
}

/** The first and last eighth of the layers and every third between, as llama.cpp's `use_more_bits` chooses them. */
function hasMoreBits(layer: number, nLayers: number): boolean {
  const eighth = Math.floor(nLayers / 8);
  return layer < eighth || layer >= Math.floor((7 * nLayers) / 8) || (layer - eighth) % 3 === 2;
}
