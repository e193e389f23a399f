import { formatBytes } from "../../terminal/format.js";
import type { WindowFigures } from "../scenarios/window.js";
import { benchTable } from "./bench-table.js";
import { percentileCells, percentileHeading } from "./percentile-cells.js";

export function formatWindow({ slidingWindow, points }: WindowFigures): string {
  const heading = ["WINDOWS", "POSITION", ...percentileHeading("TOKEN"), "PREFILL t/s", "PAGES", "WORKERS' MEMORY"];
  const rows = points.map(({ multiple, position, msPerToken, prefillTokensPerSecond, usedPages, workerBytes }) => [
    `${multiple}x`,
    String(position),
    ...percentileCells(msPerToken),
    prefillTokensPerSecond.toFixed(1),
    String(usedPages ?? "?"),
    workerBytes?.map(formatBytes).join(" ") ?? "?",
  ]);
  return [`sliding window ${slidingWindow}`, benchTable([heading, ...rows])].join("\n\n");
}
