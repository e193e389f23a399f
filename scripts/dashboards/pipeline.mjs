import { dashboard, heatMap, lines, number, quantiles, stacked } from "./grafana.mjs";

const RATE = "[$__rate_interval]";
/** Of the coordinator, whose metrics have names of their own; its workers have the same `pipeline`. */
const OWN = 'pipeline="$pipeline"';
const WORKERS = 'pipeline="$pipeline", job="shard-worker"';

const ofStage = (metric) => `sum by (stage) (rate(rhone_stage_${metric}_seconds_total{${OWN}}${RATE}))`;

/** A worker's series with the stage that it is. */
const byStage = (expr) => `(${expr}) * on (instance) group_left (stage) rhone_worker_info{${WORKERS}}`;
const workerQuantile = (metric) =>
  `histogram_quantile(0.95, sum by (stage, le) (${byStage(`rate(${metric}_bucket{${WORKERS}}${RATE})`)}))`;

export const pipeline = dashboard({
  uid: "rhone-pipeline",
  title: "Rhone: one pipeline",
  description:
    "Stages side by side: which one is slow, and whether it is arithmetic, the network or too few sequences.",
  variables: [
    {
      name: "pipeline",
      label: "Pipeline",
      query: "label_values(rhone_pipeline_ready, pipeline)",
      multi: false,
    },
  ],
  rows: [
    {
      title: "The whole",
      panels: [
        number("Ready", "none", `rhone_pipeline_ready{${OWN}}`),
        number("Stages", "none", `rhone_stages{${OWN}}`),
        number("Weights loaded", "percentunit", `rhone_weights_loaded_ratio{${OWN}}`),
        number("Tokens/s", "none", `sum(rate(rhone_tokens_total{${OWN}, kind="generated"}${RATE}))`),
        number("Steps/s", "none", `rate(rhone_steps_total{${OWN}}${RATE})`),
        number("Idle share of all stages", "percentunit", `instance:rhone_bubble:ratio5m{${OWN}}`),
      ],
    },
    {
      title: "Stages side by side",
      panels: [
        lines("Busy", "percentunit", [[ofStage("busy"), "stage {{stage}}"]], {
          max: 1,
          about: "Share of time spent computing. All above 0.8 while sequences wait: add a worker.",
        }),
        lines("Idle", "percentunit", [[ofStage("idle"), "stage {{stage}}"]], {
          max: 1,
          about: "Waiting for a frame. One stage idle and another not: the busy one limits all.",
        }),
        lines("Overhead and queue", "percentunit", [
          [ofStage("overhead"), "overhead of stage {{stage}}"],
          [ofStage("queued"), "frames waiting at stage {{stage}}"],
        ]),
        lines("Computation of a step, p95", "s", [[workerQuantile("rhone_worker_step_seconds"), "stage {{stage}}"]]),
        lines("Handing a frame on, p95", "s", [[workerQuantile("rhone_worker_send_seconds"), "stage {{stage}}"]], {
          about: "Until the connection to the next stage had taken it.",
        }),
        lines("Activations sent", "Bps", [
          [`sum by (stage) (rate(rhone_stage_sent_bytes_total{${OWN}}${RATE}))`, "stage {{stage}}"],
        ]),
        lines("Rows per second", "none", [
          [`sum by (stage) (${byStage(`rate(rhone_worker_rows_total{${WORKERS}}${RATE})`)})`, "stage {{stage}}"],
        ]),
        lines("Memory of a worker", "bytes", [
          [byStage(`process_resident_memory_bytes{${WORKERS}}`), "stage {{stage}}"],
          [byStage(`rhone_worker_weight_bytes{${WORKERS}}`), "weights of stage {{stage}}"],
        ]),
        lines("Processor of a worker", "percentunit", [
          [byStage(`rate(process_cpu_seconds_total{${WORKERS}}${RATE})`), "stage {{stage}}"],
        ]),
      ],
    },
    {
      title: "Steps",
      panels: [
        heatMap("Rows of a step", "none", "rhone_micro_batch_rows", OWN),
        quantiles("Time of a step, from sending it to its result", "s", "rhone_step_seconds", `${OWN}, phase="run"`),
        quantiles("Time of a hop", "s", "rhone_hop_seconds", OWN, {
          about: "A mean per step: what the stages do not account for, over S + 1 hops.",
        }),
        lines("The coordinator's own time per step", "s", [
          [
            `rate(rhone_step_seconds_sum{${OWN}, phase=~"decide|record"}${RATE}) / ` +
              `clamp_min(rate(rhone_step_seconds_count{${OWN}, phase=~"decide|record"}${RATE}), 1e-9)`,
            "{{phase}}",
          ],
        ]),
        lines(
          "Right guesses by position",
          "percentunit",
          [
            [
              `sum by (position) (rate(rhone_draft_tokens_total{${OWN}, outcome="right"}${RATE})) / ` +
                `clamp_min(sum by (position) (rate(rhone_draft_tokens_total{${OWN}}${RATE})), 1e-9)`,
              "{{position}}",
            ],
          ],
          { max: 1, about: "Of tokens guessed ahead (--speculate)." },
        ),
        lines("Tokens by kind", "none", [[`sum by (kind) (rate(rhone_tokens_total{${OWN}}${RATE}))`, "{{kind}}"]]),
      ],
    },
    {
      title: "Sequences and pages",
      panels: [
        stacked("Sequences", "none", [[`rhone_sequences{${OWN}}`, "{{lane}} {{state}}"]]),
        stacked("K/V pages", "none", [[`rhone_kv_pages{${OWN}}`, "{{state}}"]]),
        lines("Evictions and leaks", "none", [
          [`increase(rhone_preemptions_total{${OWN}}${RATE})`, "evicted"],
          [`increase(rhone_kv_page_leaks_total{${OWN}}${RATE})`, "leaks"],
        ]),
        lines("Prompts from the prefix cache", "percentunit", [
          [`instance:rhone_prefix_cache_hits:ratio5m{${OWN}}`, "hits"],
        ]),
        lines("Oldest that waits", "s", [[`rhone_oldest_waiting_seconds{${OWN}}`, "{{lane}}"]]),
        lines("Ended, by reason", "none", [
          [`sum by (reason) (rate(rhone_requests_finished_total{${OWN}}${RATE}))`, "{{reason}}"],
        ]),
      ],
    },
    {
      title: "Losses",
      panels: [
        stacked("Workers by state", "none", [[`rhone_workers{${OWN}}`, "{{state}}"]]),
        lines("Epochs and losses", "none", [
          [`increase(rhone_epochs_total{${OWN}}${RATE})`, "brought up"],
          [`increase(rhone_pipeline_losses_total{${OWN}}${RATE})`, "lost: {{code}}"],
        ]),
        lines("Bytes of detours and weights", "Bps", [
          [`rate(rhone_relayed_bytes_total{${OWN}}${RATE})`, "frames over the coordinator"],
          [`rate(rhone_weights_sent_bytes_total{${OWN}}${RATE})`, "weights sent"],
          [`sum(rate(rhone_worker_weights_fetched_bytes_total{${WORKERS}}${RATE}))`, "weights fetched"],
        ]),
        lines("Steps that failed", "none", [
          [byStage(`increase(rhone_worker_step_failures_total{${WORKERS}}${RATE})`), "stage {{stage}}"],
        ]),
      ],
    },
  ],
});
