import type { PrefixFigures, PrefixRequest } from "../scenarios/prefix.js";
import { benchTable } from "./bench-table.js";

export function formatPrefix({ promptTokens, first, later, ttftRatio }: PrefixFigures): string {
  const row = (name: string, { ttftMs, cachedTokens }: PrefixRequest): string[] => {
    return [name, ttftMs.toFixed(1), `${cachedTokens} of ${promptTokens}`];
  };
  const rows = [row("1", first), ...later.map((request, index) => row(String(index + 2), request))];
  return [
    benchTable([["REQUEST", "TTFT ms", "CACHED TOKENS"], ...rows]),
    `TTFT later / first: ${ttftRatio.toFixed(3)}`,
  ].join("\n\n");
}
