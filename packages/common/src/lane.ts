/** Requests that somebody waits for, and lines of batches, which go behind them. */
export const LANES = ["interactive", "batch"] as const;
export type Lane = (typeof LANES)[number];
