import type { Percentiles } from "../figures/percentiles.js";
import type { PipelineFigures } from "../figures/pipeline-figures.js";

/** Rows of cells under a heading; the command line aligns the columns. */
export interface Table {
  readonly heading: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Headings of `percentileCells`. */
export const percentileHeading = (name: string): readonly string[] => [`${name} p50`, "p95", "p99 ms"];

export const percentileCells = ({ p50, p95, p99 }: Percentiles): readonly string[] =>
  [p50, p95, p99].map((ms) => ms.toFixed(1));

/**
 * The inside of the cluster, one row per line that has figures; `key` heads the column of their names. No table when
 * there are none.
 */
export function insideTables(
  key: string,
  lines: readonly (readonly [name: string, figures: PipelineFigures | null])[],
): readonly Table[] {
  const rows = lines.flatMap(([name, figures]) => (figures === null ? [] : [[name, ...insideCells(figures)]]));
  return rows.length === 0 ? [] : [{ heading: [key, ...INSIDE_HEADING], rows }];
}

const INSIDE_HEADING = ["BUSY % by stage", "BUBBLE %", "HOP ms", "B/token", "ROWS/step", "DECIDE ms", "RECORD ms"];

function insideCells(figures: PipelineFigures): readonly string[] {
  const { stages, bubble, hopMs, bytesPerToken, rowsPerStep, coordinatorMs } = figures;
  return [
    stages.map(({ busy }) => percent(busy)).join(" "),
    percent(bubble),
    hopMs.toFixed(2),
    bytesPerToken.toFixed(0),
    rowsPerStep.toFixed(1),
    coordinatorMs.decide.toFixed(3),
    coordinatorMs.record.toFixed(3),
  ];
}

const percent = (share: number): string => (100 * share).toFixed(0);
