// The expressions of vLLM's own Grafana dashboard (examples/observability/prometheus_grafana/grafana.json), by the
// names in it: every panel has one of a few shapes.

const MODEL = '{model_name="$model_name"}';
const RATE = "[$__rate_interval]";

const HISTOGRAMS_OF_TIME = [
  "e2e_request_latency_seconds",
  "inter_token_latency_seconds",
  "time_to_first_token_seconds",
];
const COUNTERS = ["prompt_tokens_total", "generation_tokens_total"];
const GAUGES = ["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"];
const HEAT_MAPS = ["request_prompt_tokens", "request_generation_tokens"];
const SUMS = [
  "request_queue_time_seconds",
  "request_prefill_time_seconds",
  "request_decode_time_seconds",
  "request_max_num_generation_tokens",
];

const quantileOf = (share: number, name: string): string =>
  `histogram_quantile(${share}, sum by(le) (rate(vllm:${name}_bucket${MODEL}${RATE})))`;
const meanOf = (name: string): string =>
  `rate(vllm:${name}_sum${MODEL}${RATE}) / rate(vllm:${name}_count${MODEL}${RATE})`;

export const VLLM_EXPRESSIONS: readonly string[] = [
  ...HISTOGRAMS_OF_TIME.flatMap((name) => [
    ...[0.99, 0.95, 0.9, 0.5].map((share) => quantileOf(share, name)),
    meanOf(name),
  ]),
  ...COUNTERS.map((name) => `rate(vllm:${name}${MODEL}${RATE})`),
  ...GAUGES.map((name) => `vllm:${name}${MODEL}`),
  ...HEAT_MAPS.map((name) => `sum by(le) (increase(vllm:${name}_bucket${MODEL}${RATE}))`),
  `sum by(finished_reason) (increase(vllm:request_success_total${MODEL}${RATE}))`,
  ...SUMS.map((name) => `rate(vllm:${name}_sum${MODEL}${RATE})`),
];
