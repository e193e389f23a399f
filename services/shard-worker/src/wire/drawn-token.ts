import type { Span } from "./step.js";

/** A token that the last stage drew, and the position whose row holds it. */
export interface DrawnToken {
  readonly token: number;
  readonly position: number;
}

/**
 * The last of the tokens that a span drew; null when it drew none. A span of rows 4 to 6 with 2 drafts draws its first
 * token for position 5, and with `tokens` 70, 71 its last is 71 for position 6.
 */
export function lastDrawn(
  { position, count, drafts }: Pick<Span, "position" | "count" | "drafts">,
  tokens: readonly number[],
): DrawnToken | null {
  const token = tokens.at(-1);
  return token === undefined ? null : { token, position: position + count - drafts + tokens.length - 1 };
}
