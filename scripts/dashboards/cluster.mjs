import { dashboard, lines, number, quantiles, stacked, table } from "./grafana.mjs";

const MODEL = 'model_name=~"$model_name"';
const RATE = "[$__rate_interval]";

export const cluster = dashboard({
  uid: "rhone-cluster",
  title: "Rhone: cluster",
  description: "Whether users are served well, what is under load, what was lost.",
  variables: [
    { name: "model_name", label: "Model", query: "label_values(rhone_pipeline_ready, model_name)", multi: true },
    { name: "job", label: "Process", query: "label_values(rhone_build_info, job)", multi: true },
  ],
  rows: [
    {
      title: "Now",
      panels: [
        number("Pipelines ready", "none", `sum(rhone_pipeline_ready{${MODEL}})`),
        number("Workers", "none", `sum(rhone_workers{${MODEL}})`),
        number("Requests/s", "reqps", `sum(rate(rhone_requests_total{${MODEL}}${RATE}))`),
        number("Tokens/s", "none", `sum(rate(rhone_completion_tokens_total{${MODEL}}${RATE}))`),
        number("Waiting", "none", `sum(model_lane:rhone_waiting:sum{${MODEL}})`),
        number("Alerts", "none", 'count(ALERTS{alertname=~"Rhone.*", alertstate="firing"}) or vector(0)'),
      ],
    },
    {
      title: "What users see",
      panels: [
        quantiles("Time to the first token", "s", "rhone_time_to_first_token_seconds", MODEL),
        quantiles("Time between tokens", "s", "rhone_inter_token_seconds", MODEL),
        quantiles("Time of a request", "s", "rhone_request_seconds", MODEL),
        stacked("Requests by outcome", "reqps", [
          [`sum by (outcome) (rate(rhone_requests_total{${MODEL}}${RATE}))`, "{{outcome}}"],
        ]),
        stacked("Refused requests", "reqps", [
          [`sum by (reason) (rate(rhone_requests_refused_total${RATE})) or vector(0)`, "{{reason}}"],
        ]),
        stacked("Answers by status", "reqps", [
          [`sum by (status) (rate(rhone_http_answers_total${RATE}))`, "{{status}}"],
        ]),
      ],
    },
    {
      title: "Objectives",
      panels: [
        lines(
          "Burn rate over an hour",
          "none",
          [
            ["slo:rhone_requests_failed:ratio1h / 0.01", "errors"],
            [`slo:rhone_first_tokens_late:ratio1h{${MODEL}} / 0.05`, "first token {{model_name}}"],
            [`slo:rhone_next_tokens_late:ratio1h{${MODEL}} / 0.01`, "next token {{model_name}}"],
          ],
          { width: 12, about: "1 = what may be missed in 30 days lasts exactly as long. 14.4 alerts." },
        ),
        lines(
          "Burn rate over six hours",
          "none",
          [
            ["slo:rhone_requests_failed:ratio6h / 0.01", "errors"],
            [`slo:rhone_first_tokens_late:ratio6h{${MODEL}} / 0.05`, "first token {{model_name}}"],
            [`slo:rhone_next_tokens_late:ratio6h{${MODEL}} / 0.01`, "next token {{model_name}}"],
          ],
          { width: 12, about: "6 alerts." },
        ),
      ],
    },
    {
      title: "Load",
      panels: [
        stacked("Running", "none", [
          [`sum by (model_name, lane) (rhone_sequences{${MODEL}, state="running"})`, "{{model_name}} {{lane}}"],
        ]),
        stacked("Waiting, in queues and coordinators", "none", [
          [`model_lane:rhone_waiting:sum{${MODEL}}`, "{{model_name}} {{lane}}"],
        ]),
        lines("Oldest that waits", "s", [
          [`model_lane:rhone_oldest_waiting_seconds:max{${MODEL}}`, "{{model_name}} {{lane}}"],
        ]),
        stacked("Tokens/s", "none", [
          [`sum(rate(rhone_completion_tokens_total{${MODEL}}${RATE}))`, "generated"],
          [`sum(rate(rhone_prompt_tokens_total{${MODEL}}${RATE}))`, "prompts"],
          [`sum(rate(rhone_cached_tokens_total{${MODEL}}${RATE}))`, "prompts, from the prefix cache"],
        ]),
        lines("K/V pages held by sequences", "percentunit", [
          [`instance:rhone_kv_pages_used:ratio{${MODEL}}`, "{{model_name}} {{instance}}"],
        ]),
        lines(
          "Busy, by pipeline and stage",
          "percentunit",
          [[`instance_stage:rhone_stage_busy:ratio5m{${MODEL}}`, "{{instance}} stage {{stage}}"]],
          { max: 1 },
        ),
      ],
    },
    {
      title: "Stability",
      panels: [
        lines("Pipelines ready", "none", [[`model:rhone_pipelines_ready:sum{${MODEL}}`, "{{model_name}}"]]),
        stacked("Workers by state", "none", [[`sum by (state) (rhone_workers{${MODEL}})`, "{{state}}"]]),
        lines("Pipelines lost and brought up", "none", [
          [`sum by (code) (increase(rhone_pipeline_losses_total{${MODEL}}${RATE}))`, "{{code}}"],
          [`sum(increase(rhone_epochs_total{${MODEL}}${RATE}))`, "brought up"],
        ]),
        lines("Mean time to recover", "s", [
          [
            `sum by (model_name) (rhone_recovery_seconds_sum{${MODEL}}) / ` +
              `clamp_min(sum by (model_name) (rhone_recovery_seconds_count{${MODEL}}), 1)`,
            "{{model_name}}",
          ],
        ]),
        quantiles("Writes to the token logs", "s", "rhone_log_write_seconds", MODEL),
        lines("Events that wait for Redis", "none", [[`rhone_log_pending_events{${MODEL}}`, "{{instance}}"]]),
      ],
    },
    {
      title: "Processes",
      panels: [
        lines("Processor", "percentunit", [
          [`rate(process_cpu_seconds_total{job=~"$job"}${RATE})`, "{{job}} {{instance}}"],
        ]),
        lines("Memory", "bytes", [['process_resident_memory_bytes{job=~"$job"}', "{{job}} {{instance}}"]]),
        lines("Delay of the event loop, p99", "s", [
          ['nodejs_eventloop_lag_p99_seconds{job=~"$job"}', "{{job}} {{instance}}"],
        ]),
        lines("Open files", "none", [['process_open_fds{job=~"$job"}', "{{job}} {{instance}}"]]),
        lines("Long turns of event loops", "none", [
          [`increase(rhone_event_loop_long_turn_seconds_count{job=~"$job"}${RATE})`, "{{job}} {{instance}}"],
        ]),
        table("Releases", "count by (job, version, node) (rhone_build_info)"),
      ],
    },
  ],
});
