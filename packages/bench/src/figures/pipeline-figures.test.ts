import { expect, test } from "vitest";
import { pipelineFigures } from "./pipeline-figures.js";
import { type ClusterSamples, PrometheusSamples } from "./prometheus-samples.js";

const samplesOf = (coordinator: string, workers: readonly string[]): ClusterSamples => ({
  coordinators: PrometheusSamples.parse([coordinator]),
  workers: workers.map((page) => PrometheusSamples.parse([page])),
});

const before = samplesOf(
  `rhone_steps_total 100
rhone_stage_busy_seconds_total{stage="0"} 10
rhone_stage_idle_seconds_total{stage="0"} 500
rhone_hop_seconds_sum 1
rhone_hop_seconds_count 100`,
  ["rhone_worker_sent_bytes_total 1000\nrhone_worker_rows_total 10", "rhone_worker_rows_total 10"],
);
const after = samplesOf(
  `rhone_steps_total 150
rhone_stage_busy_seconds_total{stage="0"} 13
rhone_stage_busy_seconds_total{stage="1"} 2
rhone_stage_idle_seconds_total{stage="0"} 501
rhone_stage_idle_seconds_total{stage="1"} 1.5
rhone_stage_overhead_seconds_total{stage="1"} 0.5
rhone_hop_seconds_sum 1.1
rhone_hop_seconds_count 150
rhone_step_seconds_sum{phase="decide"} 0.05
rhone_step_seconds_sum{phase="record"} 0.1
rhone_micro_batch_rows_sum 200
rhone_micro_batch_rows_count 50`,
  ["rhone_worker_sent_bytes_total 9000\nrhone_worker_rows_total 110", "rhone_worker_rows_total 108"],
);

test("figures are what the counters gained", () => {
  const figures = pipelineFigures(before, after);
  expect(figures?.stages.map(({ stage, busy }) => [stage, busy])).toEqual([
    [0, 0.75],
    [1, 0.5],
  ]);
  expect(figures?.stages[0]?.computeMs).toBeCloseTo(60, 9);
  expect(figures?.bubble).toBeCloseTo(2.5 / 8, 9);
  expect(figures?.hopMs).toBeCloseTo(2, 9);
  expect(figures).toMatchObject({ steps: 50, rowsPerStep: 4, bytesPerToken: 80 });
  expect(figures?.coordinatorMs.decide).toBeCloseTo(1, 9);
  expect(figures?.coordinatorMs.record).toBeCloseTo(2, 9);
});

test("a cluster that can't be seen into has none", () => {
  expect(pipelineFigures(null, after)).toBeNull();
});

test("a cluster that did nothing has zeros, not NaN", () => {
  const figures = pipelineFigures(before, before);
  expect(figures).toMatchObject({ bubble: 0, hopMs: 0, bytesPerToken: 0, steps: 0, rowsPerStep: 0 });
  expect(figures?.coordinatorMs).toEqual({ decide: 0, record: 0 });
});

test("a worker that joined in between counts from its start", () => {
  const [first] = before.workers;
  const earlier = { ...before, workers: first === undefined ? [] : [first] };
  const late = PrometheusSamples.parse(["rhone_worker_sent_bytes_total 300\nrhone_worker_rows_total 10"]);
  const [sender] = after.workers;
  const later = { ...after, workers: [...(sender === undefined ? [] : [sender]), late] };
  expect(pipelineFigures(earlier, later)?.bytesPerToken).toBeCloseTo(80 + 30, 9);
});
