import {
  type ClusterStatus,
  type ErrorCode,
  isErrorCode,
  type Preparing,
  RhoneError,
  type WorkerStatus,
} from "@rhone/common";
import { formatBytes, plural } from "../terminal/format.js";

export const PHASES = ["member", "model", "redis", "coordinator", "workers", "weights", "probe", "gateway"] as const;
export type Phase = (typeof PHASES)[number];

/**
 * News of a starting or running cluster. Plain data, because a supervisor in the background sends it to the command
 * line.
 */
export type ProgressEvent =
  /** A phase has progressed, or is done. */
  | { readonly kind: "phase"; readonly phase: Phase; readonly text: string; readonly done: boolean }
  /** A line for the user. */
  | { readonly kind: "note"; readonly text: string }
  /** A line about something that went wrong and is mended. */
  | { readonly kind: "warning"; readonly text: string }
  | { readonly kind: "ready"; readonly url: string }
  /** This machine has a place in the cluster that it joined. */
  | { readonly kind: "member"; readonly text: string }
  /** The command by which other machines join. It holds a token, and is shown to the user alone. */
  | { readonly kind: "invitation"; readonly command: string; readonly admits: string }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

export type Report = (event: ProgressEvent) => void;

export interface PipelineProgress {
  readonly phase: Extract<Phase, "workers" | "weights" | "probe">;
  readonly text: string;
}

/** More workers than this are added up instead of listed. */
const MOST_LISTED = 4;

/** The current phase of a starting pipeline. */
export function pipelineProgress(status: ClusterStatus, workersWanted: number): PipelineProgress {
  if (status.state === "loading") return { phase: "weights", text: describeLoading(status.workers) };
  if (status.state === "probing") return { phase: "probe", text: "running a first step through all stages" };
  if (status.state === "ready") return { phase: "probe", text: "every stage answered" };
  return { phase: "workers", text: `${Math.min(status.workers.length, workersWanted)} of ${workersWanted} joined` };
}

/** The result of a finished phase. */
export function phaseResult(phase: PipelineProgress["phase"], status: ClusterStatus, workersWanted: number): string {
  if (phase === "workers") return `${workersWanted} of ${workersWanted} joined`;
  if (phase === "probe") return "every stage answered";
  const stages = status.workers.filter(({ layers }) => layers !== null);
  const bytes = stages.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  return `${formatBytes(bytes)} on ${plural(stages.length, "worker")}, layers ${listLayers(stages)}`;
}

function describeLoading(workers: readonly WorkerStatus[]): string {
  const loading = workers.filter(({ layers, totalBytes }) => layers !== null || totalBytes > 0);
  if (loading.length <= MOST_LISTED) {
    const each = loading.map(({ preparing, loadedBytes, totalBytes }) =>
      preparing == null ? describeAmount(loadedBytes, totalBytes) : describePreparing(preparing),
    );
    return each.join(" · ");
  }
  const amounts = loading.map(({ preparing, ...worker }) => ({
    bytes: preparing?.bytes ?? worker.loadedBytes,
    totalBytes: preparing?.totalBytes ?? worker.totalBytes,
  }));
  const sum = (key: "bytes" | "totalBytes") => amounts.reduce((total, amount) => total + amount[key], 0);
  const fetching = loading.filter(({ preparing }) => preparing?.phase === "fetch").length;
  const verb = fetching === 0 ? "" : `, ${fetching} of them fetching`;
  return `${describeAmount(sum("bytes"), sum("totalBytes"))} on ${loading.length} workers${verb}`;
}

/** "1.2 GB of 3.4 GB". */
export const describeAmount = (bytes: number, totalBytes: number): string =>
  `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;

/** "fetching 1.2 GB of 3.4 GB". */
export const describePreparing = ({ phase, bytes, totalBytes }: Preparing): string =>
  `${phase === "fetch" ? "fetching" : "checking"} ${describeAmount(bytes, totalBytes)}`;

/** [[0, 16], [16, 32]] -> "0-15, 16-31"; above MOST_LISTED the whole range: "0-31". */
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
  return new RhoneError(
    "NO_PIPELINE",
    reason ?? "The pipeline failed without a reason; its processes' logs may show it.",
  );
}
