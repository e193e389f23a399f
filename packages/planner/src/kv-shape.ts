/** What decides how many K/V pages a sequence holds. */
export interface KvShape {
  /** Positions per page. */
  readonly pageSize: number;
  /** Positions that a token sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
  /** Most positions of one sequence. */
  readonly contextLength: number;
  /** Most rows of one step. */
  readonly maxRows: number;
}

/**
 * The first position that a token at `position` sees: 2 for position 5 and window 4 (2, 3, 4, 5); 0 without a window.
 */
export function firstVisiblePosition(position: number, slidingWindow: number): number {
  return slidingWindow === 0 ? 0 : Math.max(0, position - slidingWindow + 1);
}

/**
 * Most pages that a sequence of `positions` positions holds at once. Without a window it holds all of them. With window
 * W, a chunk of C rows sees W - 1 + C consecutive positions, which touch at most ceil((W - 2 + C) / pageSize) + 1
 * pages: W = 64 and C = 32 touch ceil(94 / 32) + 1 = 4 pages of 32.
 */
export function livePages(positions: number, shape: KvShape): number {
  const { pageSize, slidingWindow, maxRows } = shape;
  const all = Math.ceil(positions / pageSize);
  if (slidingWindow === 0) return all;
  return Math.min(all, Math.ceil((slidingWindow - 2 + maxRows) / pageSize) + 1);
}
