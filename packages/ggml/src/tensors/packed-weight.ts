import { type GgmlType, rowSize, typeInfo } from "../elements/ggml-type.js";
import type { Tensor } from "./tensor.js";

/** A matrix in the layout of Rhone's kernels, which alone can multiply by it. A WeightStore owns it. */
export class PackedWeight {
  /** Rows that are packed together: parts of a matrix begin at a multiple, and end at one or with the matrix. */
  static readonly GROUP_ROWS = 16;
  /** I8, one dimension: the bytes. */
  readonly bytes: Tensor;
  /** The type of the file that it was packed from. */
  readonly type: GgmlType;
  /** Logical [rows, k] (ne [k, rows]), as in the file. */
  readonly ne: readonly [k: number, rows: number];

  /** @internal Comes from a WeightStore. */
  constructor(bytes: Tensor, type: GgmlType, ne: readonly [number, number]) {
    this.bytes = bytes;
    this.type = type;
    this.ne = ne;
  }

  /** Bytes of the matrix in its GGUF layout. */
  get packedBytes(): number {
    return rowSize(this.type, this.ne[0]) * this.ne[1];
  }

  /** "Q4_0 [4096, 1024]" (in ne order), for messages. */
  toString(): string {
    return `${typeInfo(this.type).name} [${this.ne.join(", ")}]`;
  }
}

/** A weight that ggml multiplies by, or one of the kernels. */
export type Weight = Tensor | PackedWeight;
