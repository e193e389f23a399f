import { expect, it } from "vitest";
import { createMetrics } from "../metrics.js";
import { status } from "../testing/coordinator-status.js";
import type { ModelView } from "./cluster-view.js";
import { VllmNames } from "./vllm-names.js";

const depth = (waiting: number) => ({ waiting, taken: 1, oldestMs: 5 });
const ofTwo: ModelView = {
  name: "tiny",
  coordinators: [
    status("c1", {
      sequences: { running: 3, waiting: 2, limit: 8 },
      pages: { size: 32, total: 100, free: 40, cached: 20 },
      tokens: { prompt: 0, cached: 0, generated: 0, drafted: 9, accepted: 4 },
      drafts: { rounds: 5, guessed: [5, 4], right: [3, 1] },
      evictions: 2,
    }),
    status("c2", {
      sequences: { running: 1, waiting: 0, limit: 8 },
      pages: { size: 32, total: 100, free: 100, cached: 0 },
    }),
  ],
  queues: { interactive: depth(10), batch: depth(20) },
};

const labels = 'engine="0",model_name="tiny"';
const linesOf = async (names: VllmNames, models: readonly ModelView[] | null) => (await names.page(models)).split("\n");

it("shows the cluster's gauges, of all pipelines of a model together", async () => {
  const lines = await linesOf(new VllmNames(createMetrics()), [ofTwo]);
  for (const line of [
    `vllm:num_requests_running{${labels}} 4`,
    `vllm:num_requests_waiting{${labels}} 32`,
    `vllm:num_requests_waiting_by_reason{${labels},reason="capacity"} 32`,
    `vllm:kv_cache_usage_perc{${labels}} 0.2`,
    'vllm:cache_config_info{engine="1",model_name="tiny",block_size="32",num_gpu_blocks="100",cache_dtype="f16"} 1',
    `vllm:num_preemptions_total{${labels}} 2`,
    `vllm:spec_decode_num_drafts_total{${labels}} 5`,
    `vllm:spec_decode_num_draft_tokens_total{${labels}} 9`,
    `vllm:spec_decode_num_accepted_tokens_total{${labels}} 4`,
    `vllm:spec_decode_num_accepted_tokens_per_pos_total{${labels},position="1"} 1`,
  ])
    expect(lines).toContain(line);
});

it("shows the gateway's own metrics under their names there, lanes added up", async () => {
  const metrics = createMetrics();
  const model = { model_name: "tiny" };
  for (const lane of ["interactive", "batch"]) {
    metrics.queueSeconds.observe({ ...model, lane }, 0.4);
    metrics.choicesFinished.inc({ ...model, lane, reason: "stop" });
  }
  metrics.interTokenSeconds.observe(model, 0.03);
  metrics.completionTokens.inc(model, 7);
  const lines = await linesOf(new VllmNames(metrics), null);
  for (const line of [
    "# TYPE vllm:request_queue_time_seconds histogram",
    `vllm:request_queue_time_seconds_bucket{${labels},le="0.5"} 2`,
    `vllm:request_queue_time_seconds_bucket{${labels},le="+Inf"} 2`,
    `vllm:request_queue_time_seconds_sum{${labels}} 0.8`,
    `vllm:request_queue_time_seconds_count{${labels}} 2`,
    `vllm:request_success_total{${labels},finished_reason="stop"} 2`,
    `vllm:inter_token_latency_seconds_bucket{${labels},le="0.05"} 1`,
    `vllm:generation_tokens_total{${labels}} 7`,
  ])
    expect(lines).toContain(line);
  expect(lines.filter((line) => line.startsWith("vllm:num_requests"))).toEqual([]);
});

it("keeps what coordinators counted that are gone, and counts those that come", async () => {
  const names = new VllmNames(createMetrics());
  const evictions = async (...all: readonly [string, number][]) => {
    const coordinators = all.map(([id, count]) => status(id, { evictions: count }));
    const lines = await linesOf(names, [{ ...ofTwo, coordinators }]);
    return lines.find((line) => line.startsWith("vllm:num_preemptions_total"))?.split(" ")[1];
  };
  expect(await evictions(["a", 2])).toBe("2");
  expect(await evictions(["a", 5], ["b", 1])).toBe("6");
  expect(await evictions(["b", 1])).toBe("6");
  expect(await evictions(["b", 4], ["c", 1])).toBe("10");
});

it("counts a coordinator once that lives through hundreds of others", async () => {
  const names = new VllmNames(createMetrics());
  const living = status("a", { evictions: 1000 });
  for (let other = 0; other < 600; other++)
    await names.page([{ ...ofTwo, coordinators: [living, status(`b${other}`)] }]);
  const lines = await linesOf(names, [{ ...ofTwo, coordinators: [living] }]);
  expect(lines).toContain(`vllm:num_preemptions_total{${labels}} 1000`);
});

it("writes names of models with any characters", async () => {
  const page = await new VllmNames(createMetrics()).page([{ ...ofTwo, name: 'a"b\\c\nd' }]);
  expect(page).toContain('vllm:num_requests_running{engine="0",model_name="a\\"b\\\\c\\nd"} 4');
});
