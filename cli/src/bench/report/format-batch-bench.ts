import type { BatchBenchFigures } from "../scenarios/batch.js";
import { benchTable } from "./bench-table.js";
import { INSIDE_HEADING, insideCells } from "./inside-columns.js";
import { percentileCells, percentileHeading } from "./percentile-cells.js";

export function formatBatchBench({ idle, busy, ...figures }: BatchBenchFigures): string {
  const phases = [
    ["streams alone", idle],
    ["with a batch", busy],
  ] as const;
  const heading = ["", "REQUESTS", ...percentileHeading("TTFT"), ...percentileHeading("ITL")];
  const rows = phases.map(([name, { requests, ttftMs, itlMs }]) => {
    return [name, String(requests), ...percentileCells(ttftMs), ...percentileCells(itlMs)];
  });
  const inside = phases.flatMap(([name, phase]) =>
    phase.inside === null ? [] : [[name, ...insideCells(phase.inside)]],
  );
  return [
    benchTable([heading, ...rows]),
    ...(inside.length > 0 ? [benchTable([["", ...INSIDE_HEADING], ...inside])] : []),
    `batch: ${figures.lines} lines in ${figures.batchSeconds.toFixed(1)} s, ${figures.linesPerSecond.toFixed(1)} lines/s`,
    `TTFT p95 with a batch / alone: ${figures.ttftP95Ratio.toFixed(2)}`,
  ].join("\n\n");
}
