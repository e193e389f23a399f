import type { ClusterSamples, PrometheusSamples } from "./prometheus-samples.js";

export interface StageFigures {
  readonly stage: number;
  /** Share of its time in which the stage computed, 0 to 1. */
  readonly busy: number;
  /** Per step. */
  readonly computeMs: number;
}

/** The inside of a cluster between two moments, from its counters. */
export interface PipelineFigures {
  readonly stages: readonly StageFigures[];
  /** Share of the time of all stages together spent waiting for work. */
  readonly bubble: number;
  /** Mean per hop: the part of a step's time that no stage accounts for, over its hops. */
  readonly hopMs: number;
  /** Activation bytes sent between workers per row. */
  readonly bytesPerToken: number;
  readonly steps: number;
  /** Mean rows per step. */
  readonly rowsPerStep: number;
  /** Per step. */
  readonly coordinatorMs: { readonly decide: number; readonly record: number };
}

/** From the gains of the counters between two readings; null when either could not be read. */
export function pipelineFigures(before: ClusterSamples | null, after: ClusterSamples | null): PipelineFigures | null {
  if (before === null || after === null) return null;
  const gained = (name: string, labels: Readonly<Record<string, string>> = {}): number =>
    after.coordinators.sum(name, labels) - before.coordinators.sum(name, labels);
  const steps = gained("rhone_steps_total");
  const msPerStep = (seconds: number): number => 1000 * share(seconds, steps);
  const times = after.coordinators.valuesOf("rhone_stage_busy_seconds_total", "stage").map((stage) => {
    const busy = gained("rhone_stage_busy_seconds_total", { stage });
    const idle = gained("rhone_stage_idle_seconds_total", { stage });
    return { stage, busy, idle, all: busy + idle + gained("rhone_stage_overhead_seconds_total", { stage }) };
  });
  const total = (key: "idle" | "all"): number => times.reduce((sum, time) => sum + time[key], 0);
  return {
    stages: times.map(({ stage, busy, all }) => ({
      stage: Number(stage),
      busy: share(busy, all),
      computeMs: msPerStep(busy),
    })),
    bubble: share(total("idle"), total("all")),
    hopMs: 1000 * share(gained("rhone_hop_seconds_sum"), gained("rhone_hop_seconds_count")),
    bytesPerToken: after.workers.reduce((sum, worker, index) => sum + sentPerRow(before.workers[index], worker), 0),
    steps,
    rowsPerStep: share(gained("rhone_micro_batch_rows_sum"), gained("rhone_micro_batch_rows_count")),
    coordinatorMs: {
      decide: msPerStep(gained("rhone_step_seconds_sum", { phase: "decide" })),
      record: msPerStep(gained("rhone_step_seconds_sum", { phase: "record" })),
    },
  };
}

/** Worker by worker, because their pages are not read at exactly the same moment. */
function sentPerRow(before: PrometheusSamples | undefined, after: PrometheusSamples): number {
  const gained = (name: string): number => after.sum(name) - (before?.sum(name) ?? 0);
  return share(gained("rhone_worker_sent_bytes_total"), gained("rhone_worker_rows_total"));
}

const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
