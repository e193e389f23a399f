import { formatBytes, formatTable, plural } from "../terminal/format.js";
import { describeLimits } from "../terminal/memory-limits.js";
import type { Style } from "../terminal/style.js";
import {
  type PlannedShape,
  type PlannedSpare,
  type PlannedStage,
  type PlanReport,
  singleGains,
} from "./plan-report.js";

const HEADING = ["WORKER", "LAYERS", "WEIGHTS", "PAGES", "SPARE", "TOTAL", "LIMIT", "ONE ROW"];
const RIGHT = [2, 3, 4, 5, 6, 7];
const SPARE = HEADING.indexOf("SPARE");

/** A plan as a page of text. */
export function formatPlan(report: PlanReport, style: Style): string {
  const { model, kvType, contextLength, shape, single } = report;
  const { pages, pageSize } = shape;
  const cache = `${pages} ${kvType} pages of ${pageSize} positions`;
  const title =
    `${style.bold(model)}  ${describe(shape)}, ${cache}, context ${contextLength}, ` +
    (shape.kernels === "ggml" ? "computed by ggml" : `kernels ${shape.kernels}`);
  const table = [HEADING, ...shape.stages.map(stageRow)];
  const holdsSpares = shape.stages.some(({ spare }) => spare !== undefined);
  const workers = holdsSpares
    ? formatTable(table, RIGHT)
    : formatTable(
        table.map((row) => row.toSpliced(SPARE, 1)),
        RIGHT.slice(0, -1),
      );
  const speeds = formatTable(
    [speedHeading(shape), ...[shape, ...(single === null ? [] : [single])].map(speedRow)],
    [1, 2, 3],
  );
  const notes = [
    "Decoding only; prefill takes time as well.",
    ...limits(report),
    ...origin(report),
    ...between(report),
    ...advice(report),
  ];
  return [title, "", workers, "", speeds, "", ...notes].join("\n");
}

/** "2 workers x 1 thread" */
function describe({ workers, threads }: PlannedShape): string {
  return `${plural(workers, "worker")} x ${plural(threads, "thread")}`;
}

function stageRow(stage: PlannedStage, index: number): string[] {
  const { first, last, heads, weightBytes, pageBytes, memoryTotal, rowMs, spare } = stage;
  return [
    String(index + 1),
    `${first}-${last - 1}${heads ? " + head" : ""}`,
    formatBytes(weightBytes),
    formatBytes(pageBytes),
    spare === undefined ? "" : describeSpare(spare),
    formatBytes(weightBytes + pageBytes + (spare?.bytes ?? 0)),
    formatBytes(memoryTotal),
    `${rowMs.toFixed(1)} ms`,
  ];
}

/** "11-21: 1.3 GB"; what would be needed where there is no memory for one. */
function describeSpare({ layers, bytes, needed }: PlannedSpare): string {
  const held = layers.map(([first, last]) => `${first}-${last - 1}`).join(", ");
  const lacking = needed === null ? "" : `needs ${formatBytes(needed)}`;
  return [held === "" ? "" : `${held}: ${formatBytes(bytes)}`, lacking].filter((part) => part !== "").join(", ");
}

function speedHeading({ predictions }: PlannedShape): string[] {
  const streams = predictions.map(({ streams }) => plural(streams, "stream"));
  return ["TOKENS/S, PREDICTED", ...streams];
}

function speedRow(shape: PlannedShape): string[] {
  return [describe(shape), ...shape.predictions.map(({ tokensPerSecond }) => tokensPerSecond.toFixed(1))];
}

function limits({ shape }: PlanReport): readonly string[] {
  const stages = shape.stages.map((stage, index) => ({ ...stage, worker: `worker ${index + 1}` }));
  return describeLimits(stages).map((limit) => `LIMIT is ${limit}.`);
}

/** Where the times and the number of workers come from, if not from the model on a quiet machine and a flag. */
function origin({ model, why, randomType, disturbed }: PlanReport): readonly string[] {
  const notes = why === null ? [] : [why];
  if (randomType !== null)
    notes.push(`${model} is not on this machine: random ${randomType} weights of its shape were timed.`);
  if (disturbed !== null) {
    const share = `${Math.round(100 * disturbed)} %`;
    const when = "while layers were timed, so these speeds are too low";
    notes.push(`Other processes had the cores for ${share} of the time ${when}. Time them again (--model) later.`);
  }
  return notes;
}

/** What goes from worker to worker, and whether fewer bytes would be faster. */
function between({ shape, activations }: PlanReport): readonly string[] {
  if (activations === null) return [];
  const { type, bytes, link, smaller } = activations;
  const rates = shape.predictions.map(({ streams, tokensPerSecond }) => {
    return `${formatBytes(tokensPerSecond * bytes)}/s for ${plural(streams, "stream")}`;
  });
  const counted =
    link === null ? "--link RATE takes a network into account." : `The link carries ${formatBytes(link)}/s.`;
  const sent = `Each token sends ${formatBytes(bytes)} (${type}) per hop between workers`;
  const line = `${sent}: ${rates.join(", ")}. ${counted}`;
  if (smaller === null) return [line];
  const gains = timesFaster(smaller.gains, shape);
  const advised = `\`--activation-type ${smaller.type}\` (${formatBytes(smaller.bytes)} a token) gives ${gains}`;
  return [line, `The link is the bottleneck: ${advised}; answers then depend on where the layers are cut.`];
}

/** "1.2 times the tokens/s for 1 stream, 1.5 times the tokens/s for 8 streams" */
const timesFaster = (gains: readonly number[], { predictions }: PlannedShape): string =>
  predictions
    .map(
      ({ streams }, index) => `${(gains[index] ?? 1).toFixed(1)} times the tokens/s for ${plural(streams, "stream")}`,
    )
    .join(", ");

function advice(report: PlanReport): readonly string[] {
  if (report.singleRefused !== null) return [`A single worker is not possible: ${report.singleRefused}`];
  const gains = singleGains(report);
  if (gains === null || report.single === null) return [];
  const { threads } = report.single;
  const faster = timesFaster(gains, report.shape);
  return [`Fewer workers would be faster: \`--workers 1 --threads ${threads}\` gives ${faster}.`];
}
