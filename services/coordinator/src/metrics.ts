import type { TokenCounts } from "@rhone/common";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

const STEP_BUCKETS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

/** The engine's own counts; metrics read them when they are scraped. */
interface EngineCounts {
  readonly running: number;
  readonly waiting: number;
  /** Evictions so far. */
  readonly evictions: number;
  readonly pages: { readonly total: number; readonly free: number; readonly cached: number };
  readonly tokens: TokenCounts;
}

const NOTHING: EngineCounts = {
  running: 0,
  waiting: 0,
  evictions: 0,
  pages: { total: 0, free: 0, cached: 0 },
  tokens: { prompt: 0, cached: 0, generated: 0, drafted: 0, accepted: 0 },
};

/**
 * Every metric of the coordinator. Each call makes a registry of its own, so that tests can run several coordinators.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  let read: () => EngineCounts = () => NOTHING;
  return {
    registry,
    /** Names the source of the counts that are read at each scrape. */
    observe: (counts: () => EngineCounts): void => {
      read = counts;
    },
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
      help: "Sequences in the coordinator, by state: running, or waiting for pages or a place.",
      labelNames: ["state"] as const,
      registers,
      collect() {
        const { running, waiting } = read();
        this.set({ state: "running" }, running);
        this.set({ state: "waiting" }, waiting);
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
    losses: new Counter({
      name: "rhone_pipeline_losses_total",
      help: "Pipelines lost, by error code.",
      labelNames: ["code"] as const,
      registers,
    }),
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
