import type { SpeculateFigures } from "../scenarios/speculate.js";
import { benchTable } from "./bench-table.js";

export function formatSpeculate({ points }: SpeculateFigures): string {
  const rows = points.map(({ concurrency, drafts, decodeTokensPerSecond, ratio, accepted }) => [
    String(concurrency),
    String(drafts),
    decodeTokensPerSecond.toFixed(1),
    ratio.toFixed(2),
    accepted === null ? "" : `${(100 * accepted).toFixed(0)} %`,
  ]);
  return benchTable([["STREAMS", "DRAFTS", "DECODE t/s", "RATIO", "RIGHT"], ...rows]);
}
