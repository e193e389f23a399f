import { Counter, Gauge, Histogram, Registry } from "prom-client";

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Every metric of the gateway, in a registry of its own. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: "rhone_requests_total",
      help: "Generation requests by outcome: ok or an error code",
      labelNames: ["route", "outcome"] as const,
      registers,
    }),
    refused: new Counter({
      name: "rhone_requests_refused_total",
      help: "Requests that were not admitted: no_key, wrong_key, requests or tokens (a limit), idempotency_key",
      labelNames: ["reason"] as const,
      registers,
    }),
    replayed: new Counter({
      name: "rhone_requests_replayed_total",
      help: "Requests answered with what the first one with their Idempotency-Key got",
      registers,
    }),
    running: new Gauge({ name: "rhone_requests_running", help: "Generation requests not answered yet", registers }),
    firstTokenSeconds: new Histogram({
      name: "rhone_time_to_first_token_seconds",
      help: "Arrival of a request to its first event",
      buckets: SECONDS,
      registers,
    }),
    requestSeconds: new Histogram({
      name: "rhone_request_seconds",
      help: "Arrival of a request to its end",
      buckets: SECONDS,
      registers,
    }),
    batchesRunning: new Gauge({ name: "rhone_batches_running", help: "Batches that this gateway runs", registers }),
    batchLines: new Counter({
      name: "rhone_batch_lines_total",
      help: "Lines of batches by outcome: ok (in the output file) or error (in the error file)",
      labelNames: ["outcome"] as const,
      registers,
    }),
    promptTokens: new Counter({ name: "rhone_prompt_tokens_total", help: "Prompt tokens of answers", registers }),
    completionTokens: new Counter({ name: "rhone_completion_tokens_total", help: "Generated tokens", registers }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
