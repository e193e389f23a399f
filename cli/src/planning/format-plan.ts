import { formatBytes, formatTable } from "../terminal/format.js";
import type { Style } from "../terminal/style.js";
import { type PlannedShape, type PlannedStage, type PlanReport, singleGains } from "./plan-report.js";

const HEADING = ["WORKER", "LAYERS", "WEIGHTS", "PAGES", "TOTAL", "LIMIT", "ONE ROW"];
const RIGHT = [2, 3, 4, 5, 6];

/** A plan as a page of text. */
export function formatPlan(report: PlanReport, style: Style): string {
  const { model, kvType, contextLength, shape, single } = report;
  const { pages, pageSize } = shape;
  const title = `${style.bold(model)}  ${describe(shape)}, ${pages} ${kvType} pages of ${pageSize} positions, context ${contextLength}`;
  const workers = formatTable([HEADING, ...shape.stages.map(stageRow)], RIGHT);
  const speeds = formatTable(
    [speedHeading(shape), ...[shape, ...(single === null ? [] : [single])].map(speedRow)],
    [1, 2, 3],
  );
  const notes = ["Decoding only: prompts cost time besides.", ...advice(report)];
  return [title, "", workers, "", speeds, "", ...notes].join("\n");
}

/** "2 workers x 1 thread" */
function describe({ workers, threads }: PlannedShape): string {
  return `${workers} ${workers === 1 ? "worker" : "workers"} x ${threads} ${threads === 1 ? "thread" : "threads"}`;
}

function stageRow(stage: PlannedStage, index: number): string[] {
  const { first, last, heads, weightBytes, pageBytes, memoryTotal, rowMs } = stage;
  return [
    String(index + 1),
    `${first}-${last - 1}${heads ? " + head" : ""}`,
    formatBytes(weightBytes),
    formatBytes(pageBytes),
    formatBytes(weightBytes + pageBytes),
    formatBytes(memoryTotal),
    `${rowMs.toFixed(1)} ms`,
  ];
}

function speedHeading({ predictions }: PlannedShape): string[] {
  const streams = predictions.map(({ streams }) => `${streams} ${streams === 1 ? "stream" : "streams"}`);
  return ["TOKENS/S, PREDICTED", ...streams];
}

function speedRow(shape: PlannedShape): string[] {
  return [describe(shape), ...shape.predictions.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(1))];
}

function advice(report: PlanReport): readonly string[] {
  if (report.singleRefused !== null) return [`One worker alone is not possible: ${report.singleRefused}`];
  const gains = singleGains(report);
  if (gains === null || report.single === null) return [];
  const threads = report.single.threads;
  const each = report.shape.predictions.map(({ streams }, index) => {
    return `${(gains[index] ?? 1).toFixed(1)}x for ${streams} ${streams === 1 ? "stream" : "streams"}`;
  });
  return [`Fewer workers would be faster: \`--workers 1 --threads ${threads}\` gives ${each.join(", ")}.`];
}
