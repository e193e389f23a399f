import { RhoneError } from "@rhone/common";
import koffi from "koffi";
import { TO_FLOAT, TYPE_TRAITS_LAYOUT } from "../bindings/ggml.js";
import { native } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import { GgmlType, rowSize, typeInfo } from "./ggml-type.js";

export interface QuantizeRequest {
  readonly type: GgmlType;
  /** Whole rows, one after another; borrowed. */
  readonly source: Float32Array;
  readonly nPerRow: number;
}

/** The rows of `source` stored as `type`. Throws TENSOR_TYPE_UNSUPPORTED for a type that ggml can't write from these numbers alone. */
export function quantizeChunk(engine: Engine, { type, source, nPerRow }: QuantizeRequest): Uint8Array {
  const { ggml } = engine[native];
  const bytesPerRow = rowSize(type, nPerRow);
  const rows = source.length / nPerRow;
  if (!Number.isInteger(rows)) {
    throw new RhoneError("GGML_FAILED", `${source.length} numbers don't divide into rows of ${nPerRow}.`);
  }
  if (!QUANTIZABLE.has(type) || ggml.quantizeRequiresImatrix(type)) {
    throw new RhoneError(
      "TENSOR_TYPE_UNSUPPORTED",
      `Rhone can't quantize to ${typeInfo(type).name}; choose Q8_0, Q4_K or Q4_0.`,
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

/** ggml stops the process for types that it can't write; these it can. */
const QUANTIZABLE: ReadonlySet<number> = new Set(
  (
    [
      "F32",
      "F16",
      "BF16",
      "Q4_0",
      "Q4_1",
      "Q5_0",
      "Q5_1",
      "Q8_0",
      "Q2_K",
      "Q3_K",
      "Q4_K",
      "Q5_K",
      "Q6_K",
      "IQ4_NL",
      "IQ4_XS",
      "TQ1_0",
      "TQ2_0",
      "MXFP4",
    ] as const
  ).map((name) => GgmlType[name]),
);

/** The first `n` elements of `bytes`, stored as `type`. Throws TENSOR_TYPE_UNSUPPORTED for integers and wider floats. */
export function dequantize(engine: Engine, type: GgmlType, bytes: Uint8Array, n: number): Float32Array {
  const needed = rowSize(type, n);
  if (bytes.byteLength < needed) {
    throw new RhoneError(
      "GGML_FAILED",
      `${n} elements of ${typeInfo(type).name} take ${needed} bytes; ${bytes.byteLength} were given.`,
    );
  }
  if (type === GgmlType.F32) return new Float32Array(bytes.slice(0, needed).buffer);
  const traits = engine[native].ggml.getTypeTraits(type);
  const toFloat = koffi.decode(traits, TYPE_TRAITS_LAYOUT.toFloat, "void *") as bigint | null;
  if (toFloat === null)
    throw new RhoneError("TENSOR_TYPE_UNSUPPORTED", `${typeInfo(type).name} can't be turned into f32.`);
  const target = new Float32Array(n);
  koffi.call(toFloat, TO_FLOAT, bytes, target, n);
  return target;
}
