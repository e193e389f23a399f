import type { KernelBindings } from "../bindings/kernels.js";
import { native } from "../bindings/pointer.js";

/** A matrix of a file: its element type, and its extents, innermost first. */
interface Matrix {
  readonly type: number;
  readonly ne: readonly [number, number?, number?, number?];
}

/** Rhone's own kernels, loaded into this process with one variant chosen: all graphs compute with that variant. */
export class Kernels {
  /** The chosen variant, such as "avx2". */
  readonly variant: string;
  /** What this processor runs, best first. */
  readonly variants: readonly string[];
  readonly [native]: KernelBindings;

  /** @internal Comes from `openKernels`. */
  constructor(bindings: KernelBindings, variant: string, variants: readonly string[]) {
    this[native] = bindings;
    this.variant = variant;
    this.variants = variants;
  }

  /** Whether there are products with matrices of this type and shape. */
  supports(matrix: Matrix): boolean {
    return this.packedBytes(matrix) > 0;
  }

  /** Bytes of the matrix in the layout of the kernels; 0 when there is no kernel for it. */
  packedBytes({ type, ne: [k, rows = 1, ne2 = 1, ne3 = 1] }: Matrix): number {
    return ne2 === 1 && ne3 === 1 ? this[native].packedBytes(type, rows, k) : 0;
  }
}
