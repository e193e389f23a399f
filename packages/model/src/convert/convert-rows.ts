import { type Engine, GgmlType, quantizeChunk } from "@rhone/ggml";
import { halfToFloat } from "../quantization/half.js";
import type { CheckpointDtype } from "./safetensors.js";

/** The ggml type with the same bits. */
const SAME_BITS: Readonly<Record<CheckpointDtype, GgmlType>> = {
  F32: GgmlType.F32,
  F16: GgmlType.F16,
  BF16: GgmlType.BF16,
};

/** Whole rows of a checkpoint's numbers, converted to `to`. `bytes` is borrowed; the result may be `bytes` itself. */
export function convertRows(
  engine: Engine,
  bytes: Uint8Array,
  { from, to, nPerRow }: { readonly from: CheckpointDtype; readonly to: GgmlType; readonly nPerRow: number },
): Uint8Array {
  if (SAME_BITS[from] === to) return bytes;
  return quantizeChunk(engine, { type: to, source: toFloat32(bytes, from), nPerRow });
}

/** The numbers in `bytes`, exactly: both 16-bit formats are subsets of f32. */
export function toFloat32(bytes: Uint8Array, from: CheckpointDtype): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (from === "F32") return new Float32Array(buffer, byteOffset, byteLength / 4);
  const words = new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (from === "F16") {
    halves ??= Float32Array.from({ length: 65_536 }, (_, half) => halfToFloat(half));
    const table = halves;
    return Float32Array.from(words, (word) => table[word] ?? 0);
  }
  // bf16 is the upper half of an f32.
  return new Float32Array(Uint32Array.from(words, (word) => word << 16).buffer);
}

/** Each half's value, once one is asked for: 0.01 s of every process's start otherwise. */
let halves: Float32Array | undefined;

/**
 * Reorders the rows of whole heads of a q or k matrix from Hugging Face's order, where element i rotates with i +
 * headDim/2, to the one where neighbours rotate: a head of rows 0 1 2 3 4 5 6 7 becomes 0 4 1 5 2 6 3 7.
 */
export function interleaveHeads(
  rows: Uint8Array,
  { headDim, rowBytes }: { readonly headDim: number; readonly rowBytes: number },
): Uint8Array {
  const result = new Uint8Array(rows.length);
  const half = headDim / 2;
  for (let row = 0; row * rowBytes < rows.length; row++) {
    const inHead = row % headDim;
    const target = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    result.set(rows.subarray(row * rowBytes, (row + 1) * rowBytes), target * rowBytes);
  }
  return result;
}
