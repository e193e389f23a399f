import { Counter, Gauge, Histogram, Registry } from "prom-client";

// The buckets are those of vLLM, so that quantiles of both compare.
const FIRST_TOKEN_S = [
  ...[0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75],
  ...[1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560],
];
const TOKEN_S = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const REQUEST_S = [...[0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680]];
const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];
const CHOICES = [1, 2, 5, 10, 20];
/** Few, as there is one series of each for every endpoint. */
const ANSWER_S = [0.01, 0.1, 1, 10, 60];
const BATCH_WAIT_S = [1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];

/**
 * Every metric of the gateway, in a registry of its own. A series that is of one model says so by the name under which
 * the model's coordinators serve it.
 */
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
      labelNames: ["model_name", "route", "outcome"] as const,
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
    answerSeconds: new Histogram({
      name: "rhone_http_answer_seconds",
      help: "Time from a request's head to the end of its answer, by endpoint as in rhone_http_answers_total.",
      labelNames: ["endpoint"] as const,
      buckets: ANSWER_S,
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
      labelNames: ["model_name"] as const,
      registers,
    }),
    firstTokenSeconds: new Histogram({
      name: "rhone_time_to_first_token_seconds",
      help:
        "Time from the start of a generation request to its first token, queueing included. Batch lines and " +
        "embeddings are left out.",
      labelNames: ["model_name"] as const,
      buckets: FIRST_TOKEN_S,
      registers,
    }),
    interTokenSeconds: new Histogram({
      name: "rhone_inter_token_seconds",
      help:
        "Time between tokens of one choice behind its first, as they reach the gateway; tokens that come together " +
        "share the time equally. Batch lines are left out.",
      labelNames: ["model_name"] as const,
      buckets: TOKEN_S,
      registers,
    }),
    outputTokenSeconds: new Histogram({
      name: "rhone_time_per_output_token_seconds",
      help: "Mean of rhone_inter_token_seconds over one choice, at its end. Batch lines are left out.",
      labelNames: ["model_name"] as const,
      buckets: TOKEN_S,
      registers,
    }),
    requestSeconds: new Histogram({
      name: "rhone_request_seconds",
      help: "Time from the start of a generation request to its end, whatever its outcome. Batch lines are left out.",
      labelNames: ["model_name"] as const,
      buckets: REQUEST_S,
      registers,
    }),
    queueSeconds: new Histogram({
      name: "rhone_request_queue_seconds",
      help: "Time from the arrival of a choice's request to its first step in a pipeline, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: REQUEST_S,
      registers,
    }),
    prefillSeconds: new Histogram({
      name: "rhone_request_prefill_seconds",
      help: "Time from a choice's first step to its first token, or to its end without one, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: REQUEST_S,
      registers,
    }),
    decodeSeconds: new Histogram({
      name: "rhone_request_decode_seconds",
      help: "Time from a choice's first token to its last, recoveries included, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: REQUEST_S,
      registers,
    }),
    computeSeconds: new Histogram({
      name: "rhone_request_compute_seconds",
      help: "Time of a choice's prefill and decode together, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: REQUEST_S,
      registers,
    }),
    promptLength: new Histogram({
      name: "rhone_request_prompt_tokens",
      help: "Tokens of the prompt of each choice that ended with a text, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: TOKENS,
      registers,
    }),
    answerLength: new Histogram({
      name: "rhone_request_completion_tokens",
      help: "Tokens of each choice that ended with a text, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: TOKENS,
      registers,
    }),
    longestAnswer: new Histogram({
      name: "rhone_request_longest_completion_tokens",
      help: "Tokens of the longest choice of each request, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: TOKENS,
      registers,
    }),
    askedChoices: new Histogram({
      name: "rhone_request_choices",
      help: "Choices that each request asked for, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: CHOICES,
      registers,
    }),
    askedTokens: new Histogram({
      name: "rhone_request_max_tokens",
      help: "Most tokens that each request allowed a choice, by itself or by the model's context, by lane.",
      labelNames: ["model_name", "lane"] as const,
      buckets: TOKENS,
      registers,
    }),
    choicesFinished: new Counter({
      name: "rhone_choices_finished_total",
      help:
        "Choices that ended, by lane and reason: stop, length, abort (nobody waited any more) or error. Of a batch line " +
        "each attempt counts.",
      labelNames: ["model_name", "lane", "reason"] as const,
      registers,
    }),
    queueJobs: new Gauge({
      name: "rhone_queue_jobs",
      help:
        "Choices in the model's queue in Redis, by lane and state: waiting for a coordinator, or taken by one. All " +
        "gateways of a cluster see the same ones.",
      labelNames: ["model_name", "lane", "state"] as const,
      registers,
    }),
    queueOldest: new Gauge({
      name: "rhone_queue_oldest_seconds",
      help: "How long the oldest choice has waited for a coordinator, by lane; 0 while none waits.",
      labelNames: ["model_name", "lane"] as const,
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
    batchLinesLeft: new Gauge({
      name: "rhone_batch_lines_left",
      help: "Lines of batches that run here which have no result yet.",
      registers,
    }),
    batchesOpen: new Gauge({
      name: "rhone_batches_open",
      help: "Batches of the cluster that are neither over nor paused, when this gateway last looked for one to run.",
      registers,
    }),
    batchOldest: new Gauge({
      name: "rhone_batch_oldest_seconds",
      help: "Age of the oldest of these batches; 0 without one.",
      registers,
    }),
    batchWaitSeconds: new Histogram({
      name: "rhone_batch_wait_seconds",
      help: "Time from the creation of a batch until its lines began, its validation included.",
      buckets: BATCH_WAIT_S,
      registers,
    }),
    batchesEnded: new Counter({
      name: "rhone_batches_ended_total",
      help: "Batches that ended here, by status: completed, failed, expired or cancelled.",
      labelNames: ["status"] as const,
      registers,
    }),
    promptTokens: new Counter({
      name: "rhone_prompt_tokens_total",
      help: "Prompt tokens of finished choices, each prompt counted once; over HTTP and in batches.",
      labelNames: ["model_name"] as const,
      registers,
    }),
    cachedTokens: new Counter({
      name: "rhone_cached_tokens_total",
      help: "Those of rhone_prompt_tokens_total whose keys and values came from the prefix cache.",
      labelNames: ["model_name"] as const,
      registers,
    }),
    completionTokens: new Counter({
      name: "rhone_completion_tokens_total",
      help: "Tokens generated, counted as they reach the gateway; over HTTP and in batches.",
      labelNames: ["model_name"] as const,
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
