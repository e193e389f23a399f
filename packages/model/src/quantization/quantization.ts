import { RhoneError } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import { dividesIntoBlocks } from "../gguf/tensor-type.js";

/** What `convert` and `synth` can write. */
export const QUANTIZATIONS = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_k"] as const;
export type Quantization = (typeof QUANTIZATIONS)[number];

interface QuantizationRow {
  /** The type of matrices. */
  readonly matrix: GgmlType;
  /** The type of the head, whose errors weigh most. */
  readonly head: GgmlType;
  /** llama.cpp's `general.file_type`. */
  readonly fileType: number;
}

const ROWS: Readonly<Record<Quantization, QuantizationRow>> = {
  f32: { matrix: GgmlType.F32, head: GgmlType.F32, fileType: 0 },
  f16: { matrix: GgmlType.F16, head: GgmlType.F16, fileType: 1 },
  bf16: { matrix: GgmlType.BF16, head: GgmlType.BF16, fileType: 32 },
  q8_0: { matrix: GgmlType.Q8_0, head: GgmlType.Q8_0, fileType: 7 },
  q4_0: { matrix: GgmlType.Q4_0, head: GgmlType.Q6_K, fileType: 2 },
  q4_k: { matrix: GgmlType.Q4_K, head: GgmlType.Q6_K, fileType: 14 },
};

/** A name in any case. Throws INVALID_CONFIG with the known ones. */
export function parseQuantization(name: string): Quantization {
  const known = QUANTIZATIONS.find((quantization) => quantization === name.toLowerCase());
  if (known !== undefined) return known;
  throw new RhoneError("INVALID_CONFIG", `The type ${name} is unknown; choose one of ${QUANTIZATIONS.join(", ")}.`);
}

export const fileTypeOf = (quantization: Quantization): number => ROWS[quantization].fileType;

/**
 * The type in which a tensor is stored, by llama.cpp's rules: vectors (norms, RoPE factors) stay F32; the head, and an
 * embedding that is the head too, become Q6_K in the 4-bit files; rows that do not fill the type's blocks of 256 fall back
 * from Q4_K to Q5_0 and from Q6_K to Q8_0, rows that do not fill blocks of 32 to F16.
 */
export function storageType(
  quantization: Quantization,
  tensor: { readonly ne: readonly number[]; readonly isHead: boolean },
): GgmlType {
  if (tensor.ne.length === 1) return GgmlType.F32;
  const row = ROWS[quantization];
  const wanted = tensor.isHead ? row.head : row.matrix;
  const rowElements = tensor.ne[0] ?? 1;
  const candidates = [wanted, FALLBACKS.get(wanted) ?? wanted];
  return candidates.find((type) => dividesIntoBlocks(type, rowElements)) ?? GgmlType.F16;
}

const FALLBACKS: ReadonlyMap<GgmlType, GgmlType> = new Map<GgmlType, GgmlType>([
  [GgmlType.Q4_K, GgmlType.Q5_0],
  [GgmlType.Q6_K, GgmlType.Q8_0],
]);
