import { formatBytes, formatTable, plural } from "../terminal/format.js";
import type { Style } from "../terminal/style.js";
import { type PlannedShape, type PlannedStage, type PlanReport, singleGains } from "./plan-report.js";

const HEADING = ["WORKER", "LAYERS", "WEIGHTS", "PAGES", "TOTAL", "LIMIT", "ONE ROW"];
const RIGHT = [2, 3, 4, 5, 6];

/** A plan as a page of text. */
export function formatPlan(report: PlanReport, style: Style): string {
  const { model, kvType, contextLength, shape, single } = report;
  const { pages, pageSize } = shape;
  const cache = `${pages} ${kvType} pages of ${pageSize} positions`;
  const title =
    `${style.bold(model)}  ${describe(shape)}, ${cache}, context ${contextLength}, ` +
    (shape.kernels === "ggml" ? "computed by ggml" : `kernels ${shape.kernels}`);
  const workers = formatTable([HEADING, ...shape.stages.map(stageRow)], RIGHT);
  const speeds = formatTable(
    [speedHeading(shape), ...[shape, ...(single === null ? [] : [single])].map(speedRow)],
    [1, 2, 3],
  );
  const notes = ["Decoding only; prefill takes time as well.", ...advice(report)];
  return [title, "", workers, "", speeds, "", ...notes].join("\n");
}

/** "2 workers x 1 thread" */
function describe({ workers, threads }: PlannedShape): string {
  return `${plural(workers, "worker")} x ${plural(threads, "thread")}`;
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
  const streams = predictions.map(({ streams }) => plural(streams, "stream"));
  return ["TOKENS/S, PREDICTED", ...streams];
}

function speedRow(shape: PlannedShape): string[] {
  return [describe(shape), ...shape.predictions.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(1))];
}

function advice(report: PlanReport): readonly string[] {
  if (report.singleRefused !== null) return [`A single worker is not possible: ${report.singleRefused}`];
  const gains = singleGains(report);
  if (gains === null || report.single === null) return [];
  const threads = report.single.threads;
  const each = report.shape.predictions.map(({ streams }, index) => {
    return `${(gains[index] ?? 1).toFixed(1)} times the tokens/s for ${plural(streams, "stream")}`;
  });
  return [`Fewer workers would be faster: \`--workers 1 --threads ${threads}\` gives ${each.join(", ")}.`];
}
