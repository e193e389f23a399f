import { newApiKey, SECRET_HEADER } from "@rhone/common";
import { describe, expect, it } from "vitest";
import type { TargetGroup } from "../monitoring/scrape-targets.js";
import { CLUSTER_SECRET, fakeGateway } from "../testing/fake-gateway.js";

const { key, secret } = newApiKey({ name: "team", requestsPerMinute: 9, tokensPerMinute: 999 });

describe("GET /metrics", () => {
  it("has a model's series before its first request, under our names and vLLM's", async () => {
    const { app } = fakeGateway();
    const { body } = await app.inject("/metrics");
    const lines = body.split("\n");
    for (const line of [
      'rhone_time_to_first_token_seconds_count{model_name="tiny"} 0',
      'rhone_choices_finished_total{model_name="tiny",lane="interactive",reason="stop"} 0',
      'rhone_queue_jobs{model_name="tiny",lane="batch",state="waiting"} 0',
      'vllm:e2e_request_latency_seconds_count{engine="0",model_name="tiny"} 0',
      'vllm:num_requests_running{engine="0",model_name="tiny"} 0',
    ])
      expect(lines).toContain(line);
    expect(body).toMatch(/^rhone_build_info\{version="[\d.]+",node="v\d+/m);
  });

  it("counts a request that came before the first look at a model", async () => {
    const { app, post } = fakeGateway();
    await post("/v1/completions", { prompt: "ab", max_tokens: 5 });
    const { body } = await app.inject("/metrics");
    expect(body).toContain('rhone_time_to_first_token_seconds_count{model_name="tiny"} 1');
    expect(body).toContain('vllm:time_to_first_token_seconds_count{engine="0",model_name="tiny"} 1');
    expect(body).toContain('vllm:request_success_total{engine="0",model_name="tiny",finished_reason="stop"} 1');
    expect(body).toContain('rhone_completion_tokens_total{model_name="tiny"} 2');
  });

  it("has each series once", async () => {
    const { app, post } = fakeGateway();
    await post("/v1/completions", { prompt: "ab", max_tokens: 5, n: 2 });
    const { body } = await app.inject("/metrics");
    const series = body.split("\n").flatMap((line) => (/^#|^$/.test(line) ? [] : [line.replace(/ \S+$/, "")]));
    expect(new Set(series).size).toBe(series.length);
  });

  it("has no names of vLLM's where they are turned off", async () => {
    const { app } = fakeGateway(undefined, "ready", { vllmMetrics: false });
    expect((await app.inject("/metrics")).body).not.toContain("vllm:");
  });
});

describe("GET /metrics/targets", () => {
  const headers: [string, Record<string, string>][] = [
    ["an API key", { authorization: `Bearer ${secret}` }],
    ["the cluster's secret", { [SECRET_HEADER]: CLUSTER_SECRET }],
    ["the cluster's secret as a bearer's", { authorization: `Bearer ${CLUSTER_SECRET}` }],
  ];
  it.each(headers)("names the cluster's processes to those who show %s", async (_, shown) => {
    const { app } = fakeGateway(undefined, "ready", { keys: [key] });
    const response = await app.inject({ url: "/metrics/targets", headers: shown });
    expect(response.statusCode, response.body).toBe(200);
    expect(response.headers["content-type"]).toMatch(/^application\/json/);
    const groups: readonly TargetGroup[] = response.json();
    const found = groups.map(({ targets: [target], labels: { job } }) => [job, target]);
    expect(found).toEqual([
      ["gateway", "10.0.0.9:8080"],
      ["coordinator", "10.0.0.1:7101"],
      ["shard-worker", "10.0.0.7:7201"],
    ]);
  });

  it.each<[string, Record<string, string>]>([
    ["nothing", {}],
    ["a wrong key", { authorization: "Bearer rhone_sk_wrong" }],
  ])("tells nobody who shows %s", async (_, shown) => {
    const { app } = fakeGateway(undefined, "ready", { keys: [key] });
    const { statusCode, body } = await app.inject({ url: "/metrics/targets", headers: shown });
    expect(statusCode).toBe(401);
    expect(body).not.toContain("10.0.0");
  });
});
