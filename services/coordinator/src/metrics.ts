import { type DraftCounts, LANES, type PipelineState, type TokenCounts, type WorkerStatus } from "@rhone/common";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { LaneCounts } from "./scheduler/lane-counts.js";
import type { PageCounts } from "./scheduler/pages/kv-pages.js";

const STEP_BUCKETS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

/** The engine's own counts; metrics read them when they are scraped. */
interface EngineCounts {
  readonly running: number;
  readonly waiting: number;
  /** Evictions so far. */
  readonly evictions: number;
  readonly pages: PageCounts;
  readonly tokens: TokenCounts;
  readonly drafts: DraftCounts;
}

/** What is read when the metrics are scraped. */
export interface Observed {
  readonly counts: EngineCounts;
  readonly lanes: LaneCounts;
  readonly state: PipelineState;
  readonly stages: number;
  readonly workers: readonly Pick<WorkerStatus, "layers" | "going" | "loadedBytes" | "totalBytes">[];
}

const NO_LANE = { running: 0, waiting: 0, oldestMs: null };

const NOTHING: Observed = {
  counts: {
    running: 0,
    waiting: 0,
    evictions: 0,
    pages: { total: 0, free: 0, cached: 0 },
    tokens: { prompt: 0, cached: 0, generated: 0, drafted: 0, accepted: 0 },
    drafts: { rounds: 0, guessed: [], right: [] },
  },
  lanes: { interactive: NO_LANE, batch: NO_LANE },
  state: "waiting_for_workers",
  stages: 0,
  workers: [],
};

const WORKER_STATES = ["serving", "loading", "spare", "leaving", "draining", "drained"] as const;

const USUAL_LOSSES = [
  "WORKER_LOST",
  "STAGE_FAILED",
  "EPOCH_CHANGED",
  "MESSAGE_MALFORMED",
  "OUT_OF_MEMORY",
  "GGML_FAILED",
] as const;

/** In words of `rhone_workers`. */
function stateOf({ layers, going, loadedBytes, totalBytes }: Observed["workers"][number], isReady: boolean) {
  if (going !== undefined) return going;
  if (layers === null) return "spare";
  return isReady || (totalBytes > 0 && loadedBytes >= totalBytes) ? "serving" : "loading";
}

/** Of those that have layers. */
function loadedShare({ workers, state }: Observed): number {
  if (state === "ready") return 1;
  const staged = workers.filter(({ layers }) => layers !== null);
  const total = staged.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  return total === 0 ? 0 : staged.reduce((sum, { loadedBytes }) => sum + loadedBytes, 0) / total;
}

/**
 * Every metric of the coordinator; each series says `model`. Each call makes a registry of its own, so that tests can
 * run several coordinators.
 */
export function createMetrics(model = "") {
  const registry = new Registry();
  registry.setDefaultLabels({ model_name: model });
  const registers = [registry];
  let observed: () => Observed = () => NOTHING;
  const losses = new Counter({
    name: "rhone_pipeline_losses_total",
    help: "Pipelines lost, by error code.",
    labelNames: ["code"] as const,
    registers,
  });
  // Prometheus takes no rise from a series that was not there before.
  for (const code of USUAL_LOSSES) losses.inc({ code }, 0);
  const read = () => observed().counts;
  return {
    registry,
    /** Names the source of what is read at each scrape. */
    observe: (source: () => Observed): void => {
      observed = source;
    },
    ready: new Gauge({
      name: "rhone_pipeline_ready",
      help: "1 while every stage of the pipeline answers and requests are computed, else 0.",
      registers,
      collect() {
        this.set(observed().state === "ready" ? 1 : 0);
      },
    }),
    stages: new Gauge({
      name: "rhone_stages",
      help: "Stages of the pipeline; 0 while there is none.",
      registers,
      collect() {
        this.set(observed().stages);
      },
    }),
    workers: new Gauge({
      name: "rhone_workers",
      help: "Workers that have joined, by state: serving, loading, spare (without layers), leaving, draining or drained.",
      labelNames: ["state"] as const,
      registers,
      collect() {
        const { workers, state: pipeline } = observed();
        for (const state of WORKER_STATES) this.set({ state }, 0);
        for (const worker of workers) this.inc({ state: stateOf(worker, pipeline === "ready") });
      },
    }),
    weightsLoaded: new Gauge({
      name: "rhone_weights_loaded_ratio",
      help: "Share of the stages' weights that their workers have loaded, 0 to 1; 0 without stages.",
      registers,
      collect() {
        this.set(loadedShare(observed()));
      },
    }),
    oldestWaiting: new Gauge({
      name: "rhone_oldest_waiting_seconds",
      help: "How long ago the oldest sequence that waits in the coordinator arrived, by lane; 0 while none waits.",
      labelNames: ["lane"] as const,
      registers,
      collect() {
        const { lanes } = observed();
        for (const lane of LANES) {
          const { oldestMs } = lanes[lane];
          this.set({ lane }, oldestMs === null ? 0 : Math.max(0, Date.now() - oldestMs) / 1000);
        }
      },
    }),
    steps: new Counter({ name: "rhone_steps_total", help: "Steps whose result has returned.", registers }),
    stepSeconds: new Histogram({
      name: "rhone_step_seconds",
      help:
        "Time of a step, by phase: decide and record in the coordinator, run from sending the frame to its result. With " +
        "one stage run includes the wait behind the step before.",
      labelNames: ["phase"] as const,
      buckets: STEP_BUCKETS,
      registers,
    }),
    rows: new Histogram({
      name: "rhone_micro_batch_rows",
      help: "Rows per micro-batch: one per decoding sequence, one per draft, one per prompt token of a chunk.",
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048],
      registers,
    }),
    tokens: new Counter({
      name: "rhone_tokens_total",
      help:
        "Tokens, by kind: prompt (of accepted requests), cached (prompt tokens from the prefix cache, at a request's end), " +
        "generated, drafted (guessed ahead), accepted (right guesses).",
      labelNames: ["kind"] as const,
      registers,
      collect() {
        this.reset();
        for (const [kind, count] of Object.entries(read().tokens)) this.inc({ kind }, count);
      },
    }),
    sequences: new Gauge({
      name: "rhone_sequences",
      help: "Sequences in the coordinator, by lane and by state: running, or waiting for pages or a place.",
      labelNames: ["lane", "state"] as const,
      registers,
      collect() {
        const { lanes } = observed();
        for (const lane of LANES) {
          this.set({ lane, state: "running" }, lanes[lane].running);
          this.set({ lane, state: "waiting" }, lanes[lane].waiting);
        }
      },
    }),
    pages: new Gauge({
      name: "rhone_kv_pages",
      help: "K/V pages, by state: used by a sequence, cached for prompts to come (taken when needed), or free.",
      labelNames: ["state"] as const,
      registers,
      collect() {
        const { total, free, cached } = read().pages;
        this.set({ state: "free" }, free);
        this.set({ state: "cached" }, cached);
        this.set({ state: "used" }, total - free - cached);
      },
    }),
    pageLeaks: new Counter({
      name: "rhone_kv_page_leaks_total",
      help: "Times at which no sequence ran and pages were still missing from the pool.",
      registers,
    }),
    evictions: new Counter({
      name: "rhone_preemptions_total",
      help: "Sequences that lost their pages to an older one and are prefilled again.",
      registers,
      collect() {
        this.reset();
        this.inc(read().evictions);
      },
    }),
    finished: new Counter({
      name: "rhone_requests_finished_total",
      help: "Sequences that ended, by reason: stop, length, cancelled, or an error code.",
      labelNames: ["reason"] as const,
      registers,
    }),
    draftRounds: new Counter({
      name: "rhone_draft_rounds_total",
      help: "Times at which tokens of a sequence were guessed ahead in a step.",
      registers,
      collect() {
        this.reset();
        this.inc(read().drafts.rounds);
      },
    }),
    draftTokens: new Counter({
      name: "rhone_draft_tokens_total",
      help: "Tokens guessed ahead, by their position behind the known token, from 0, and outcome: right or wrong.",
      labelNames: ["position", "outcome"] as const,
      registers,
      collect() {
        this.reset();
        const { guessed, right } = read().drafts;
        for (let position = 0; position < Math.max(1, guessed.length); position++) {
          const [all, ofThem] = [guessed[position] ?? 0, right[position] ?? 0];
          this.inc({ position, outcome: "right" }, ofThem);
          this.inc({ position, outcome: "wrong" }, all - ofThem);
        }
      },
    }),
    stageBusySeconds: new Counter({
      name: "rhone_stage_busy_seconds_total",
      help: "Time that each stage spent computing.",
      labelNames: ["stage"] as const,
      registers,
    }),
    stageIdleSeconds: new Counter({
      name: "rhone_stage_idle_seconds_total",
      help: "Time that each stage waited for a frame.",
      labelNames: ["stage"] as const,
      registers,
    }),
    stageOverheadSeconds: new Counter({
      name: "rhone_stage_overhead_seconds_total",
      help: "Time that each stage spent on a step without computing: reading and checking it, writing the result.",
      labelNames: ["stage"] as const,
      registers,
    }),
    stageQueuedSeconds: new Counter({
      name: "rhone_stage_queued_seconds_total",
      help: "Time that frames waited at each stage for the one before them.",
      labelNames: ["stage"] as const,
      registers,
    }),
    stageSentBytes: new Counter({
      name: "rhone_stage_sent_bytes_total",
      help: "Bytes of activations that each stage but the last sent to the next one.",
      labelNames: ["stage"] as const,
      registers,
    }),
    bubbleRatio: new Gauge({
      name: "rhone_bubble_ratio",
      help: "Idle share of the time of all stages together since the pipeline became ready, 0 to 1; time without work counts.",
      registers,
    }),
    hopSeconds: new Histogram({
      name: "rhone_hop_seconds",
      help: "Time per hop between processes, a mean per step: its run time less what the stages account for.",
      buckets: [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1],
      registers,
    }),
    epochs: new Counter({ name: "rhone_epochs_total", help: "Pipelines brought up.", registers }),
    recoveries: new Counter({
      name: "rhone_recoveries_total",
      help: "Pipelines brought up after one was lost.",
      registers,
    }),
    recoverySeconds: new Histogram({
      name: "rhone_recovery_seconds",
      help: "Time from the loss of a pipeline, or its end in order, until one was ready again.",
      buckets: [0.1, 0.2, 0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 30, 60, 120, 300, 600],
      registers,
    }),
    losses,
    relayedBytes: new Counter({
      name: "rhone_relayed_bytes_total",
      help: "Bytes of activations that went over the coordinator, between workers that do not reach each other.",
      registers,
    }),
    weightsSentBytes: new Counter({
      name: "rhone_weights_sent_bytes_total",
      help: "Bytes of weights sent to machines that lack them.",
      registers,
    }),
    logPendingEvents: new Gauge({
      name: "rhone_log_pending_events",
      help: "Events that wait to be written to the token logs.",
      registers,
    }),
    logWriteSeconds: new Histogram({
      name: "rhone_log_write_seconds",
      help: "Time of a write to the token logs.",
      buckets: STEP_BUCKETS,
      registers,
    }),
  } as const;
}

export type Metrics = ReturnType<typeof createMetrics>;
