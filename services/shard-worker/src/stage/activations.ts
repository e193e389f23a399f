import { RhoneError } from "@rhone/common";
import { GgmlType, rowSize } from "@rhone/ggml";
import { rhone } from "@rhone/proto";

const { ActivationType } = rhone.v1;

/** ggml's type of the activations on a link. */
export function ggmlTypeOf(type: rhone.v1.ActivationType): GgmlType {
  if (type === ActivationType.ACTIVATION_F16) return GgmlType.F16;
  if (type === ActivationType.ACTIVATION_Q8_0) return GgmlType.Q8_0;
  return GgmlType.F32;
}

/** Throws STAGE_FAILED unless `hidden` holds [rows, dim] of `type`. */
export function checkHidden(hidden: Uint8Array, type: GgmlType, { rows, dim }: { rows: number; dim: number }): void {
  const expected = rows * rowSize(type, dim);
  if (hidden.byteLength === expected) return;
  throw new RhoneError(
    "STAGE_FAILED",
    `A frame brought ${hidden.byteLength} bytes of activations; ${rows} rows of ${dim} take ${expected}.`,
  );
}
