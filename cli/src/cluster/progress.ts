import { type ClusterStatus, type ErrorCode, isErrorCode, RhoneError, type WorkerStatus } from "@rhone/common";
import { formatBytes } from "../terminal/format.js";

export const PHASES = ["model", "redis", "coordinator", "workers", "weights", "probe", "gateway"] as const;
export type Phase = (typeof PHASES)[number];

/** What a cluster tells while it comes up and runs; plain data, since it also crosses from a supervisor to the command line. */
export type ProgressEvent =
  /** A phase goes on, or ends. */
  | { readonly kind: "phase"; readonly phase: Phase; readonly text: string; readonly done: boolean }
  /** Something worth a line. */
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "ready"; readonly url: string }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

export type Report = (event: ProgressEvent) => void;

export interface PipelineProgress {
  readonly phase: Extract<Phase, "workers" | "weights" | "probe">;
  readonly text: string;
}

/** Listed one by one up to here; more are summed up. */
const MOST_LISTED = 4;

/** Where a pipeline stands on its way up, in words. */
export function pipelineProgress(status: ClusterStatus, workersWanted: number): PipelineProgress {
  if (status.state === "loading") return { phase: "weights", text: describeLoading(status.workers) };
  if (status.state === "probing") return { phase: "probe", text: "a first step runs through all stages" };
  if (status.state === "ready") return { phase: "probe", text: "every stage answered" };
  return { phase: "workers", text: `${Math.min(status.workers.length, workersWanted)}/${workersWanted} joined` };
}

/** What a phase came to, once it is over. */
export function phaseResult(phase: PipelineProgress["phase"], status: ClusterStatus, workersWanted: number): string {
  if (phase === "workers") return `${workersWanted}/${workersWanted} joined`;
  if (phase === "probe") return "every stage answered";
  const stages = status.workers.filter(({ layers }) => layers !== null);
  const bytes = stages.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  return `${formatBytes(bytes)} on ${stages.length} ${stages.length === 1 ? "worker" : "workers"}, layers ${listLayers(stages)}`;
}

function describeLoading(workers: readonly WorkerStatus[]): string {
  const loading = workers.filter(({ layers, totalBytes }) => layers !== null || totalBytes > 0);
  const amount = (loaded: number, total: number) => `${formatBytes(loaded)} of ${formatBytes(total)}`;
  if (loading.length <= MOST_LISTED) {
    return loading.map(({ loadedBytes, totalBytes }) => amount(loadedBytes, totalBytes)).join(" · ");
  }
  const sum = (key: "loadedBytes" | "totalBytes") => loading.reduce((total, worker) => total + worker[key], 0);
  return `${amount(sum("loadedBytes"), sum("totalBytes"))} on ${loading.length} workers`;
}

/** [[0, 16], [16, 32]] -> "0-15, 16-31"; more than a few: "0-31". */
function listLayers(stages: readonly WorkerStatus[]): string {
  const ranges = stages.flatMap(({ layers }) => (layers === null ? [] : [layers])).sort(([a], [b]) => a - b);
  const whole = [ranges[0]?.[0] ?? 0, ranges.at(-1)?.[1] ?? 0] as const;
  const shown = ranges.length <= MOST_LISTED ? ranges : [whole];
  return shown.map(([first, last]) => `${first}-${last - 1}`).join(", ");
}

/** The reason of a failed pipeline ("CODE: message") as an error. */
export function pipelineError(reason: string | null): RhoneError {
  const [, code = "", message = ""] = /^([A-Z_]+): (.*)$/s.exec(reason ?? "") ?? [];
  if (isErrorCode(code)) return new RhoneError(code, message);
  return new RhoneError("NO_PIPELINE", reason ?? "The pipeline failed without a reason; `rhone logs` may tell.");
}
