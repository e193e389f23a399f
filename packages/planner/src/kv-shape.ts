/** The shape of every sequence's K/V. */
export interface KvShape {
  /** Positions per page. */
  readonly pageSize: number;
  /** Positions a token sees, itself included; 0 = all. */
  readonly slidingWindow: number;
  /** Most positions of one sequence. */
  readonly contextLength: number;
  /** Most rows of one step. */
  readonly maxRows: number;
}

/**
 * Most pages that one sequence of `positions` positions holds at once. Without a window: all of them. With window W and
 * chunks of C rows the rows of one chunk see W - 1 + C consecutive positions, which touch at most
 * ceil((W - 2 + C) / pageSize) + 1 pages: W = 64, C = 32, pages of 32 give ceil(94 / 32) + 1 = 4.
 */
export function livePages(positions: number, shape: KvShape): number {
  const { pageSize, slidingWindow, maxRows } = shape;
  const all = Math.ceil(positions / pageSize);
  if (slidingWindow === 0) return all;
  return Math.min(all, Math.ceil((slidingWindow - 2 + maxRows) / pageSize) + 1);
}
