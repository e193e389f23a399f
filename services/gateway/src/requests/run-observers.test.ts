import type { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { createMetrics } from "../metrics.js";
import { event } from "../testing/events.js";
import { lineMetrics, replayMetrics, requestMetrics } from "./run-observers.js";

const usage = { prompt_tokens: 7, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 2 } };

/** The samples of a metric that are not 0, as Prometheus would read them. */
async function samples(registry: Registry, name: string): Promise<readonly string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line.startsWith(name) && !line.endsWith(" 0"));
}

describe("a request", () => {
  it("runs from its beginning to its end, and counts one outcome with its tokens", async () => {
    const metrics = createMetrics();
    const observer = requestMetrics(metrics, "completions", { usage });
    observer.began?.();
    expect(await samples(metrics.registry, "rhone_requests_running")).toEqual(["rhone_requests_running 1"]);
    observer.ended("worker_lost");
    expect(await samples(metrics.registry, "rhone_requests")).toEqual([
      'rhone_requests_total{route="completions",outcome="worker_lost"} 1',
    ]);
    expect(await samples(metrics.registry, "rhone_request_seconds_count")).toHaveLength(1);
    expect(await samples(metrics.registry, "rhone_prompt")).toEqual(["rhone_prompt_tokens_total 7"]);
    expect(await samples(metrics.registry, "rhone_completion")).toEqual(["rhone_completion_tokens_total 5"]);
  });

  it("has one time to its first token, however many follow", async () => {
    const metrics = createMetrics();
    const observer = requestMetrics(metrics, "completions", { usage });
    for (let token = 0; token < 3; token++) observer.took?.(event());
    expect(await samples(metrics.registry, "rhone_time_to_first_token_seconds_count")).toEqual([
      "rhone_time_to_first_token_seconds_count 1",
    ]);
  });

  it("reads the usage at its end, when it is complete", async () => {
    const metrics = createMetrics();
    const writer = { usage: { ...usage, completion_tokens: 0 } };
    const observer = requestMetrics(metrics, "completions", writer);
    writer.usage = { ...usage, completion_tokens: 9 };
    observer.ended("ok");
    expect(await samples(metrics.registry, "rhone_completion")).toEqual(["rhone_completion_tokens_total 9"]);
  });
});

it("an attempt of a batch line counts its tokens, and no request", async () => {
  const metrics = createMetrics();
  lineMetrics(metrics, { usage }).ended("ok");
  expect(await samples(metrics.registry, "rhone_requests")).toEqual([]);
  expect(await samples(metrics.registry, "rhone_prompt")).toEqual(["rhone_prompt_tokens_total 7"]);
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
