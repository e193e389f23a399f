import { randomUUID } from "node:crypto";
import { fetchStatus } from "@rhone/client";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { clusterSecretOf } from "../../cli/dist/cluster/cluster-security.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import { dashboardExpressions, filled, monitoringPaths, ruleTexts } from "../cluster/monitoring-files.js";
import { Prometheus, promtool, type Series, whyNoPrometheus } from "../cluster/prometheus.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { VLLM_EXPRESSIONS } from "../cluster/vllm-expressions.js";

const why = whyNoPrometheus();
const skipped = why === null ? "" : ` (skipped: ${why})`;

/** More streams than places, so that some wait. */
const PLACES = 4;
const STREAMS = 7;

/** More streams than places wait, and a busy machine is slow. */
const OF_LOAD = /QueueWaitsLong|Bubble|Imbalance|Stalls|LogSlow|Burn/;

/** All that happened here, so that no rate has ended when its turn comes. */
const RATE = "5m";

const PATIENCE = { timeout: 60_000, interval: 200 };

let cluster: RunningCluster;
let prometheus: Prometheus;
let leave = () => {};
let streams: readonly Promise<unknown>[] = [];

beforeAll(async () => {
  if (why !== null) return;
  const flags = ["--workers", "3", "--simulate", "stage-ms=20", "--max-sequences", `${PLACES}`, "--speculate", "2"];
  cluster = await RunningCluster.start(flags);
  const credentials = clusterSecretOf(dataDirAt(cluster.dataDir));
  prometheus = await Prometheus.start({
    config: {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      scrape_configs: [
        {
          job_name: "rhone",
          http_sd_configs: [
            { url: `${cluster.url}/metrics/targets`, refresh_interval: "1s", authorization: { credentials } },
          ],
        },
      ],
    },
    rules: ruleTexts(),
  });
  await vi.waitFor(async () => expect(await valuesOf("up")).toEqual([1, 1, 1, 1, 1]), PATIENCE);
  // A rate needs scrapes before and behind what it counts.
  for (let time = 0; time < 2; time++) {
    await ask();
    await refuse();
    await runBatch();
    await nextScrape();
  }
  const leaving = new AbortController();
  leave = () => leaving.abort();
  streams = Array.from({ length: STREAMS }, () => stream(leaving.signal));
}, 240_000);

afterAll(async () => {
  leave();
  await Promise.allSettled(streams);
  await prometheus?.stop();
  await cluster?.stop();
});

async function nextScrape(): Promise<void> {
  const scraped = async () => (await valuesOf('min(timestamp(up{job="gateway"}))'))[0] ?? 0;
  const before = await scraped();
  await vi.waitFor(async () => expect(await scraped()).toBeGreaterThan(before + 1), PATIENCE);
}

const valuesOf = async (expr: string): Promise<readonly number[]> =>
  (await prometheus.query(expr)).map(({ value }) => value);

const ask = () =>
  cluster.ask("/v1/chat/completions", {
    messages: [{ role: "user", content: "Count: one two one two one two one two" }],
    max_tokens: 8,
    stop: ["\n\n\n"],
  });

/** An Idempotency-Key that belongs to another request. */
async function refuse(): Promise<void> {
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
  for (const max_tokens of [1, 2]) {
    const body = JSON.stringify({ prompt: "a", max_tokens });
    await (await fetch(`${cluster.url}/v1/completions`, { method: "POST", headers, body })).text();
  }
}

/** One line, to its end. */
async function runBatch(): Promise<void> {
  const line = { custom_id: "1", method: "POST", url: "/v1/completions", body: { prompt: "a", max_tokens: 2 } };
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([`${JSON.stringify(line)}\n`]), "in.jsonl");
  const file = await (await fetch(`${cluster.url}/v1/files`, { method: "POST", body: form })).json();
  const asked = { input_file_id: (file as { id: string }).id, endpoint: "/v1/completions", completion_window: "24h" };
  const { id } = await cluster.ask<{ id: string }>("/v1/batches", asked);
  const status = async () =>
    ((await (await fetch(`${cluster.url}/v1/batches/${id}`)).json()) as { status: string }).status;
  await vi.waitFor(async () => expect(await status()).toBe("completed"), PATIENCE);
}

/** Decodes until it is left. */
async function stream(signal: AbortSignal): Promise<void> {
  const body = { prompt: "one two one two one two", max_tokens: 2000, ignore_eos: true, stream: true };
  const response = await cluster.post("/v1/completions", body, signal);
  for await (const _ of response.body ?? []);
}

test.skipIf(why !== null)(`promtool finds no fault in the rules, and all their cases hold${skipped}`, async () => {
  expect(await promtool(["check", "rules", ...monitoringPaths("rules")])).not.toContain("FAILED");
  expect(await promtool(["test", "rules", ...monitoringPaths("rules-tests")])).not.toContain("FAILED");
});

describe.skipIf(why !== null)(`a Prometheus that scrapes a cluster${skipped}`, () => {
  test("finds every process by /metrics/targets", async () => {
    const up = await prometheus.query("count by (job, pipeline) (up == 1)");
    const { operations } = await cluster.status();
    const found = up.map(({ labels, value }) => [labels.job, labels.pipeline, value]);
    expect(found.sort()).toEqual([
      ["coordinator", operations, 1],
      ["gateway", undefined, 1],
      ["shard-worker", operations, 3],
    ]);
  });

  test("has the picker's three gauges as the coordinator has them", { timeout: 120_000 }, async () => {
    const gauge = async (name: string) => (await valuesOf(`vllm:${name}{model_name="breeze"}`))[0];
    await expect.poll(() => gauge("num_requests_running"), { timeout: 60_000 }).toBe(PLACES);
    await expect.poll(() => gauge("num_requests_waiting"), { timeout: 60_000 }).toBe(STREAMS - PLACES);
    const {
      pages: { total, free, cached },
    } = await cluster.status();
    const used = (total - free - cached) / total;
    expect(used).toBeGreaterThan(0);
    // Streams take a page every 32 tokens while this is read.
    await expect.poll(() => gauge("kv_cache_usage_perc")).toBeGreaterThanOrEqual(used);
    expect(await gauge("kv_cache_usage_perc")).toBeLessThan(used + 0.1);
    const [{ labels } = { labels: {} }] = await prometheus.query("vllm:cache_config_info");
    expect(labels).toMatchObject({ block_size: "32", num_gpu_blocks: String(total) });
  });

  test("gives data for every expression of vLLM's dashboard", { timeout: 120_000 }, async () => {
    const values = { model_name: "breeze", __rate_interval: RATE };
    for (const expr of VLLM_EXPRESSIONS) await expectData(filled(expr, values));
  });

  test("gives data for every expression of the dashboards", { timeout: 240_000 }, async () => {
    const { operations } = await cluster.status();
    const values = { model_name: ".*", job: ".*", lane: ".*", pipeline: operations };
    const all = dashboardExpressions({ ...values, __rate_interval: RATE, __range: RATE });
    expect(all.length).toBeGreaterThan(90);
    for (const { where, expr } of all) await expectData(expr, where);
  });

  test("has every series that a rule reads, and every series that a rule records", { timeout: 120_000 }, async () => {
    const { groups } = await rules();
    for (const { type, name, query, health, lastError } of groups.flatMap(({ rules: each }) => each)) {
      expect([name, health, lastError]).toEqual([name, "ok", undefined]);
      for (const metric of metricsOf(query)) await expectData(metric, name);
      if (type === "recording") await expectData(name);
    }
  });

  test("has no alert of faults that the cluster does not have", async () => {
    const names = (await prometheus.alerts()).map(({ labels }) => labels.alertname ?? "");
    expect(names.filter((name) => !OF_LOAD.test(name))).toEqual([]);
  });

  test("sees no more than what the cluster's size explains", async () => {
    const { coordinators } = await fetchStatus(cluster.url, { signal: AbortSignal.timeout(10_000) });
    const [{ workers } = { workers: [] }] = coordinators;
    expect(workers).toHaveLength(3);
    const [series] = await valuesOf('count({__name__=~"rhone_.*|vllm:.*", job=~".+"})');
    expect(series).toBeLessThan(2500);
  });
});

/** Polls: a rate has data once a series was scraped twice. */
async function expectData(expr: string, where = expr): Promise<void> {
  const found = async (): Promise<readonly Series[]> => (await prometheus.query(expr)).filter(isNumber);
  await expect
    .poll(async () => (await found()).length > 0, { timeout: 30_000, message: `${where}: ${expr}` })
    .toBe(true);
}

const isNumber = ({ value }: Series): boolean => !Number.isNaN(value);

/** Names of the metrics in an expression. */
const metricsOf = (expr: string): readonly string[] => [
  ...new Set(
    [...expr.matchAll(/\b(?:rhone_\w+|(?:model|model_lane|instance|instance_stage|slo):\w+:\w+)/g)].map(
      ([name]) => name,
    ),
  ),
];

interface Rule {
  readonly type: "alerting" | "recording";
  readonly name: string;
  readonly query: string;
  readonly health: string;
  readonly lastError?: string;
}

async function rules(): Promise<{ readonly groups: readonly { readonly rules: readonly Rule[] }[] }> {
  const answer = await (await fetch(`${prometheus.url}/api/v1/rules`)).json();
  return (answer as { data: { groups: { rules: Rule[] }[] } }).data;
}
