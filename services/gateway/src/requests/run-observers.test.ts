import type { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { createMetrics } from "../metrics.js";
import { event } from "../testing/events.js";
import { RequestMeter } from "./request-meter.js";
import { lineMetrics, replayMetrics, requestMetrics } from "./run-observers.js";

const usage = { prompt_tokens: 7, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 2 } };
const job = { requestId: "r1", model: "tiny", lane: "interactive", maxTokens: 16 } as const;
const request = { jobs: [job], writer: { usage } };

/** The samples of a metric that are not 0, as Prometheus would read them. */
async function samples(registry: Registry, name: string): Promise<readonly string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line.startsWith(name) && !line.endsWith(" 0"));
}

const finished = {
  finish: { reason: "stop", matched: 2 },
  usage: { promptTokens: 7, completionTokens: 5, cachedTokens: 2 },
  timings: { queuedMs: 100, prefillMs: 200, decodeMs: 300 },
} as const;

describe("a request", () => {
  it("runs from its beginning to its end, and counts one outcome with its tokens", async () => {
    const metrics = createMetrics();
    const observer = requestMetrics(metrics, "completions", request);
    observer.began?.();
    expect(await samples(metrics.registry, "rhone_requests_running")).toEqual([
      'rhone_requests_running{model_name="tiny"} 1',
    ]);
    observer.took?.(event({ tokens: [1, 2, 3] }));
    observer.ended("worker_lost");
    expect(await samples(metrics.registry, "rhone_requests")).toEqual([
      'rhone_requests_total{model_name="tiny",route="completions",outcome="worker_lost"} 1',
    ]);
    expect(await samples(metrics.registry, "rhone_request_seconds_count")).toHaveLength(1);
    expect(await samples(metrics.registry, "rhone_prompt")).toEqual(['rhone_prompt_tokens_total{model_name="tiny"} 7']);
    expect(await samples(metrics.registry, "rhone_cached")).toEqual(['rhone_cached_tokens_total{model_name="tiny"} 2']);
    expect(await samples(metrics.registry, "rhone_completion")).toEqual([
      'rhone_completion_tokens_total{model_name="tiny"} 3',
    ]);
    expect(await samples(metrics.registry, "rhone_choices_finished")).toEqual([
      'rhone_choices_finished_total{model_name="tiny",lane="interactive",reason="error"} 1',
    ]);
  });

  it("has one time to its first token, however many follow, and none without a token", async () => {
    const metrics = createMetrics();
    const observer = requestMetrics(metrics, "completions", request);
    observer.took?.(event({ tokens: [] }));
    expect(await samples(metrics.registry, "rhone_time_to_first_token_seconds_count")).toEqual([]);
    for (let token = 0; token < 3; token++) observer.took?.(event());
    expect(await samples(metrics.registry, "rhone_time_to_first_token_seconds_count")).toEqual([
      'rhone_time_to_first_token_seconds_count{model_name="tiny"} 1',
    ]);
  });

  it("reads the usage at its end, when it is complete", async () => {
    const metrics = createMetrics();
    const writer = { usage: { ...usage, prompt_tokens: 0 } };
    const observer = requestMetrics(metrics, "completions", { jobs: [job], writer });
    writer.usage = { ...usage, prompt_tokens: 9 };
    observer.ended("ok");
    expect(await samples(metrics.registry, "rhone_prompt")).toEqual(['rhone_prompt_tokens_total{model_name="tiny"} 9']);
  });
});

describe("the times of a request with two choices", () => {
  const measured = async () => {
    const metrics = createMetrics();
    let nowMs = 0;
    const jobs = [job, { ...job, requestId: "r2" }];
    const meter = new RequestMeter({ jobs, writer: { usage }, metrics, isTimed: true, now: () => nowMs });
    for (const [at, requestId, tokens, more] of [
      [100, "r1", [1]],
      [150, "r2", [1]],
      [180, "r1", [2]],
      [300, "r1", [3, 4, 5], finished],
      [310, "r2", [2], { ...finished, finish: { reason: "length" } }],
    ] as const) {
      nowMs = at;
      meter.took(event({ requestId, tokens: [...tokens], ...more }));
    }
    meter.ended("ok");
    return metrics;
  };

  it("are gaps within a choice; tokens that come together share one", async () => {
    const { registry } = await measured();
    // 80 ms, three times 40 ms, and 160 ms.
    expect(await samples(registry, "rhone_inter_token_seconds_count")).toEqual([
      'rhone_inter_token_seconds_count{model_name="tiny"} 5',
    ]);
    expect(await samples(registry, 'rhone_inter_token_seconds_bucket{le="0.05"')).toEqual([
      'rhone_inter_token_seconds_bucket{le="0.05",model_name="tiny"} 3',
    ]);
    const [sum = ""] = await samples(registry, "rhone_inter_token_seconds_sum");
    expect(Number(sum.split(" ")[1])).toBeCloseTo(0.36);
    const [perToken = ""] = await samples(registry, "rhone_time_per_output_token_seconds_sum");
    expect(Number(perToken.split(" ")[1])).toBeCloseTo(0.05 + 0.16);
    expect(await samples(registry, "rhone_time_to_first_token_seconds_sum")).toEqual([
      'rhone_time_to_first_token_seconds_sum{model_name="tiny"} 0.1',
    ]);
  });

  it("in the cluster are those of its last events, with their lengths and reasons", async () => {
    const { registry } = await measured();
    const labels = 'model_name="tiny",lane="interactive"';
    for (const [name, value] of [
      ["queue_seconds_sum", 0.2],
      ["prefill_seconds_sum", 0.4],
      ["decode_seconds_sum", 0.6],
      ["compute_seconds_sum", 1],
      ["prompt_tokens_sum", 14],
      ["completion_tokens_sum", 10],
      ["longest_completion_tokens_sum", 5],
      ["choices_sum", 2],
      ["max_tokens_sum", 16],
    ])
      expect(await samples(registry, `rhone_request_${name}`)).toEqual([`rhone_request_${name}{${labels}} ${value}`]);
    expect(await samples(registry, "rhone_choices_finished")).toEqual([
      `rhone_choices_finished_total{${labels},reason="stop"} 1`,
      `rhone_choices_finished_total{${labels},reason="length"} 1`,
    ]);
  });
});

it("an attempt of a batch line counts its tokens, lengths and times in the cluster, and no request", async () => {
  const metrics = createMetrics();
  const observer = lineMetrics(metrics, { jobs: [{ ...job, lane: "batch" }], writer: { usage } });
  observer.took?.(event({ requestId: "r1" }));
  observer.took?.(event({ requestId: "r1", ...finished }));
  observer.ended("ok");
  for (const absent of ["rhone_requests", "rhone_time_to_first", "rhone_inter_token", "rhone_time_per_output"])
    expect(await samples(metrics.registry, absent)).toEqual([]);
  expect(await samples(metrics.registry, "rhone_prompt")).toEqual(['rhone_prompt_tokens_total{model_name="tiny"} 7']);
  expect(await samples(metrics.registry, "rhone_request_queue_seconds_sum")).toEqual([
    'rhone_request_queue_seconds_sum{model_name="tiny",lane="batch"} 0.1',
  ]);
});

it("a replay has an outcome of its own, and generates no tokens", async () => {
  const metrics = createMetrics();
  replayMetrics(metrics, "stream").ended("ok");
  replayMetrics(metrics, "idempotency_key").ended("cancelled");
  expect(await samples(metrics.registry, "rhone_")).toEqual([
    'rhone_requests_replayed_total{source="stream",outcome="ok"} 1',
    'rhone_requests_replayed_total{source="idempotency_key",outcome="cancelled"} 1',
  ]);
});
