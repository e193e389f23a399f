import { RhoneError } from "@rhone/common/rhone-error";
import koffi from "koffi";
import { TO_FLOAT, TYPE_TRAITS_LAYOUT } from "../bindings/ggml.js";
import { native } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import { GgmlType, rowSize, typeInfo } from "./ggml-type.js";

export interface QuantizeRequest {
  readonly type: GgmlType;
  /** Whole rows, one after the other; borrowed during the call. */
  readonly source: Float32Array;
  readonly nPerRow: number;
}

/**
 * The rows of `source` in ggml's format for `type`. Throws TENSOR_TYPE_UNSUPPORTED for a type that ggml can't write, or
 * not without an importance matrix.
 */
export function quantizeChunk(engine: Engine, { type, source, nPerRow }: QuantizeRequest): Uint8Array {
  const { ggml } = engine[native];
  const bytesPerRow = rowSize(type, nPerRow);
  const rows = source.length / nPerRow;
  if (!Number.isInteger(rows)) {
    throw new RhoneError("GGML_FAILED", `${source.length} numbers can't be divided into rows of ${nPerRow}.`);
  }
  if (!QUANTIZABLE.has(type) || ggml.quantizeRequiresImatrix(type)) {
    throw new RhoneError(
      "TENSOR_TYPE_UNSUPPORTED",
      `Rhone can't quantize to ${typeInfo(type).name}. Choose a type such as Q8_0, Q4_K or Q4_0.`,
    );
  }
  if (type === GgmlType.F32)
    return new Uint8Array(source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength));
  const target = new Uint8Array(rows * bytesPerRow);
  ggml.quantizeInit(type);
  const written = ggml.quantizeChunk(type, source, target, 0, rows, nPerRow, null);
  if (written === target.byteLength) return target;
  throw new RhoneError(
    "GGML_FAILED",
    `ggml wrote ${written} bytes of ${typeInfo(type).name} where ${target.byteLength} were expected.`,
  );
}

/** Types that ggml can write. For any other it stops the process. */
const QUANTIZABLE: ReadonlySet<number> = new Set([
  GgmlType.F32,
  GgmlType.F16,
  GgmlType.BF16,
  GgmlType.Q4_0,
  GgmlType.Q4_1,
  GgmlType.Q5_0,
  GgmlType.Q5_1,
  GgmlType.Q8_0,
  GgmlType.Q2_K,
  GgmlType.Q3_K,
  GgmlType.Q4_K,
  GgmlType.Q5_K,
  GgmlType.Q6_K,
  GgmlType.IQ4_NL,
  GgmlType.IQ4_XS,
  GgmlType.TQ1_0,
  GgmlType.TQ2_0,
  GgmlType.MXFP4,
]);

/** The elements of `bytes`, whole blocks stored as `type`. Throws TENSOR_TYPE_UNSUPPORTED for integers and F64. */
export function dequantize(engine: Engine, type: GgmlType, bytes: Uint8Array): Float32Array {
  const { name, blockSize, typeSize } = typeInfo(type);
  const blocks = bytes.byteLength / typeSize;
  if (!Number.isInteger(blocks)) {
    const message = `${bytes.byteLength} bytes are not whole ${name} blocks, which take ${typeSize} bytes each.`;
    throw new RhoneError("GGML_FAILED", message);
  }
  if (type === GgmlType.F32) return new Float32Array(bytes.slice().buffer);
  const traits = engine[native].ggml.getTypeTraits(type);
  const toFloat = koffi.decode(traits, TYPE_TRAITS_LAYOUT.toFloat, "void *") as bigint | null;
  if (toFloat === null) throw new RhoneError("TENSOR_TYPE_UNSUPPORTED", `ggml can't convert ${name} to f32.`);
  const target = new Float32Array(blocks * blockSize);
  koffi.call(toFloat, TO_FLOAT, bytes, target, target.length);
  return target;
}
