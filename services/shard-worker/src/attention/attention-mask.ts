import { firstVisiblePosition } from "@rhone/planner";
import type { AttentionSpan } from "./attention.js";

const F16_MINUS_INFINITY = 0xfc00;

export interface MaskShape {
  /** The position of the mask's first column. */
  readonly start: number;
  /** Columns: positions that the span's pages hold, padding included. */
  readonly positions: number;
  /** Positions that a token sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
}

/**
 * One span's mask, f16 [count, positions]: 0 where a row sees a position, -Infinity elsewhere. With pages of 32 and
 * window 16, a span of positions 70 and 71 sees positions from 55 on. Its mask therefore starts with page 1, at
 * position 32: row 70 sees columns 23 to 38, row 71 columns 24 to 39.
 */
export function attentionMask(
  { position, count }: Pick<AttentionSpan, "position" | "count">,
  { start, positions, slidingWindow }: MaskShape,
): Uint16Array {
  const mask = new Uint16Array(count * positions).fill(F16_MINUS_INFINITY);
  for (let i = 0; i < count; i++) {
    const p = position + i;
    const row = i * positions - start;
    mask.fill(0, row + firstVisiblePosition(p, slidingWindow), row + p + 1);
  }
  return mask;
}
