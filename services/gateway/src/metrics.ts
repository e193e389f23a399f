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
      help:
        "Generation requests over HTTP that ran, by route and outcome: ok, cancelled (the client left), or an " +
        "error code in lower case. Each counts once, at its end. Refused requests, batch lines and replays " +
        "are counted elsewhere.",
      labelNames: ["route", "outcome"] as const,
      registers,
    }),
    refused: new Counter({
      name: "rhone_requests_refused_total",
      help:
        "Requests refused before they ran, by reason: no_key and wrong_key (401), guessed_keys, requests and tokens (429, " +
        "the limit that was reached), idempotency_key (409 or 422), or the error code of a generation that may be " +
        "tried again (no_pipeline, gateway_busy, texts_busy), in lower case.",
      labelNames: ["reason"] as const,
      registers,
    }),
    answered: new Counter({
      name: "rhone_http_answers_total",
      help:
        "All answers over HTTP, by endpoint (method and path as the router has it; none: no endpoint, or no HTTP) and " +
        "status. Each counts once, when it is sent or breaks off; a stream or a whole answer behind blanks that fails " +
        "later has the status 200.",
      labelNames: ["endpoint", "status"] as const,
      registers,
    }),
    replayed: new Counter({
      name: "rhone_requests_replayed_total",
      help:
        "Answers sent again without generating, by source (idempotency_key, or stream for GET /v1/streams and " +
        "/v1/responses) and outcome, as in rhone_requests_total. Each replay counts once, at its end.",
      labelNames: ["source", "outcome"] as const,
      registers,
    }),
    running: new Gauge({
      name: "rhone_requests_running",
      help: "Generation requests over HTTP that are running now, queued ones included.",
      registers,
    }),
    firstTokenSeconds: new Histogram({
      name: "rhone_time_to_first_token_seconds",
      help:
        "Time from the start of a generation request to its first token, queueing included. Batch lines are " +
        "left out.",
      buckets: SECONDS,
      registers,
    }),
    requestSeconds: new Histogram({
      name: "rhone_request_seconds",
      help:
        "Time from the start of a generation request to its end, whatever its outcome. Batch lines are left " + "out.",
      buckets: SECONDS,
      registers,
    }),
    answersHeld: new Gauge({
      name: "rhone_answers_held_bytes",
      help:
        "Memory that answers above 16 KiB may take until they are sent (--answers-bytes): reserved for the longest " +
        "while they are generated, then what they have. Streams without tools need none.",
      registers,
    }),
    answersWaiting: new Gauge({
      name: "rhone_answers_waiting",
      help: "Requests, batch lines included, that wait for room for their answers.",
      registers,
    }),
    batchesRunning: new Gauge({
      name: "rhone_batches_running",
      help: "Batches whose lease this gateway holds.",
      registers,
    }),
    batchLines: new Counter({
      name: "rhone_batch_lines_total",
      help:
        "Lines of batches that got their result here, by outcome: ok (in the output file) or error (in the " +
        "error file). Attempts that an outage interrupted do not count.",
      labelNames: ["outcome"] as const,
      registers,
    }),
    promptTokens: new Counter({
      name: "rhone_prompt_tokens_total",
      help: "Prompt tokens of finished choices, each prompt counted once; over HTTP and in batches.",
      registers,
    }),
    completionTokens: new Counter({
      name: "rhone_completion_tokens_total",
      help: "Tokens generated for finished choices, over HTTP and in batches.",
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
