import { dashboard, heatMap, lines, number, quantiles, stacked } from "./grafana.mjs";

const MODEL = 'model_name=~"$model_name"';
const RATE = "[$__rate_interval]";
const LANE = `${MODEL}, lane=~"$lane"`;

const meanOf = (metric) =>
  `sum(rate(${metric}_sum{${LANE}}${RATE})) / clamp_min(sum(rate(${metric}_count{${LANE}}${RATE})), 1e-9)`;

export const requests = dashboard({
  uid: "rhone-requests",
  title: "Rhone: requests and batches",
  description:
    "Where the time of a request goes, how long prompts and answers are, who is refused, how batches advance.",
  variables: [
    { name: "model_name", label: "Model", query: "label_values(rhone_pipeline_ready, model_name)", multi: true },
    { name: "lane", label: "Lane", query: "label_values(rhone_queue_jobs, lane)", multi: true },
  ],
  rows: [
    {
      title: "How long users wait",
      panels: [
        heatMap("Time to the first token", "s", "rhone_time_to_first_token_seconds", MODEL),
        heatMap("Time between tokens", "s", "rhone_inter_token_seconds", MODEL),
        heatMap("Time of a request", "s", "rhone_request_seconds", MODEL),
        heatMap("Time in the queue", "s", "rhone_request_queue_seconds", LANE),
        stacked("Where the time goes, mean of a choice", "s", [
          [meanOf("rhone_request_queue_seconds"), "queue"],
          [meanOf("rhone_request_prefill_seconds"), "prefill"],
          [meanOf("rhone_request_decode_seconds"), "decode"],
        ]),
        quantiles("Mean time per token of an answer", "s", "rhone_time_per_output_token_seconds", MODEL),
      ],
    },
    {
      title: "What they ask for",
      panels: [
        heatMap("Tokens of prompts", "none", "rhone_request_prompt_tokens", LANE),
        heatMap("Tokens of answers", "none", "rhone_request_completion_tokens", LANE),
        stacked("Ended, by reason", "reqps", [
          [`sum by (reason) (rate(rhone_choices_finished_total{${LANE}}${RATE}))`, "{{reason}}"],
        ]),
        stacked("Requests by endpoint", "reqps", [
          [`sum by (route) (rate(rhone_requests_total{${MODEL}}${RATE}))`, "{{route}}"],
        ]),
        lines("Most tokens asked for, and choices, means", "none", [
          [meanOf("rhone_request_max_tokens"), "most tokens"],
          [meanOf("rhone_request_choices"), "choices"],
        ]),
        stacked("Running, by gateway", "none", [
          [`sum by (instance) (rhone_requests_running{${MODEL}})`, "{{instance}}"],
        ]),
      ],
    },
    {
      title: "Lanes",
      panels: [
        stacked("Jobs in the queues", "none", [
          [`max by (model_name, lane, state) (rhone_queue_jobs{${LANE}})`, "{{model_name}} {{lane}} {{state}}"],
        ]),
        lines("Oldest that waits", "s", [
          [`model_lane:rhone_oldest_waiting_seconds:max{${LANE}}`, "{{model_name}} {{lane}}"],
        ]),
        lines("Sequences", "none", [[`sum by (lane, state) (rhone_sequences{${LANE}})`, "{{lane}} {{state}}"]]),
      ],
    },
    {
      title: "Keys and limits",
      panels: [
        stacked("Without a key, wrong keys, limits of keys", "reqps", [
          [
            `sum by (reason) (rate(rhone_requests_refused_total{reason=~"no_key|wrong_key|guessed_keys|requests|tokens"}` +
              `${RATE})) or vector(0)`,
            "{{reason}}",
          ],
        ]),
        stacked("Refused for want of room", "reqps", [
          [
            `sum by (reason) (rate(rhone_requests_refused_total{reason!~"no_key|wrong_key|guessed_keys|requests|tokens"}` +
              `${RATE})) or vector(0)`,
            "{{reason}}",
          ],
        ]),
        lines("Memory of answers", "bytes", [["sum by (instance) (rhone_answers_held_bytes)", "{{instance}}"]]),
        lines("Answers again", "reqps", [
          [
            `sum by (source, outcome) (rate(rhone_requests_replayed_total${RATE})) or vector(0)`,
            "{{source}} {{outcome}}",
          ],
        ]),
        lines("Time of an answer by endpoint, mean", "s", [
          [
            `sum by (endpoint) (rate(rhone_http_answer_seconds_sum${RATE})) / ` +
              `clamp_min(sum by (endpoint) (rate(rhone_http_answer_seconds_count${RATE})), 1e-9)`,
            "{{endpoint}}",
          ],
        ]),
      ],
    },
    {
      title: "Batches",
      panels: [
        number("Open", "none", "max(rhone_batches_open)"),
        number("Running", "none", "sum(rhone_batches_running)"),
        number("Lines left", "none", "sum(rhone_batch_lines_left)"),
        number("Oldest", "s", "max(rhone_batch_oldest_seconds)"),
        number("Lines/s", "none", `sum(rate(rhone_batch_lines_total${RATE})) or vector(0)`),
        number("Ended in this time", "none", "sum(increase(rhone_batches_ended_total[$__range])) or vector(0)"),
        stacked("Lines by outcome", "none", [
          [`sum by (outcome) (rate(rhone_batch_lines_total${RATE})) or vector(0)`, "{{outcome}}"],
        ]),
        lines("Lines left", "none", [["sum by (instance) (rhone_batch_lines_left)", "{{instance}}"]]),
        heatMap("Time from creation to the first line", "s", "rhone_batch_wait_seconds", ""),
      ],
    },
  ],
});
