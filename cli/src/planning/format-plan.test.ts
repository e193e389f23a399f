import { expect, test } from "vitest";
import { styleFor } from "../terminal/style.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import { formatPlan } from "./format-plan.js";
import { type PlanReport, reportRunning } from "./plan-report.js";

const wanted = (...streams: readonly number[]) => ({ streams, link: null });
const RUNNING = reportRunning(clusterStatus([workerStatus("b", [5, 8]), workerStatus("a", [0, 5])]), wanted(1, 8));

test("the plan in force as a page, with predictions from what the workers measured", () => {
  expect(
    formatPlan(RUNNING as PlanReport, styleFor({}, undefined)),
  ).toBe(`m8  2 workers x 1 thread, 100 f16 pages of 32 positions, context 4096, computed by ggml

WORKER  LAYERS      WEIGHTS   PAGES   TOTAL   LIMIT  ONE ROW
1       0-4          600 MB  1.0 GB  1.6 GB  8.0 GB  50.0 ms
2       5-7 + head   600 MB  1.0 GB  1.6 GB  8.0 GB  45.0 ms

TOKENS/S, PREDICTED   1 stream  8 streams
2 workers x 1 thread      10.2       40.0

Decoding only; prefill takes time as well.
Each token sends 16.4 kB (f32) per hop between workers: 167 kB/s for 1 stream, 655 kB/s for 8 streams. --link RATE takes a network into account.`);
});

test("where the workers' memory comes from", () => {
  const workers = [
    workerStatus("b", [5, 8], { memoryFrom: "--memory" }),
    workerStatus("a", [0, 5], { memoryFrom: "x" }),
  ];
  const page = formatPlan(reportRunning(clusterStatus(workers), wanted(1)) as PlanReport, styleFor({}, undefined));
  expect(page).toContain("\nLIMIT is 8.0 GB of worker 1: x.\nLIMIT is 8.0 GB of worker 2: --memory.\n");
});

test("what each worker holds beyond its own layers, and what one more spare shard would need", () => {
  const spare = { layers: [[5, 8]], bytes: 600e6, needed: null } as const;
  const lacking = { layers: [], bytes: 0, needed: 9.1e9 };
  const workers = [workerStatus("b", [5, 8], { spare: lacking }), workerStatus("a", [0, 5], { spare })];
  const page = formatPlan(reportRunning(clusterStatus(workers), wanted(1)) as PlanReport, styleFor({}, undefined));
  expect(page).toContain(`
WORKER  LAYERS      WEIGHTS   PAGES         SPARE   TOTAL   LIMIT  ONE ROW
1       0-4          600 MB  1.0 GB   5-7: 600 MB  2.2 GB  8.0 GB  50.0 ms
2       5-7 + head   600 MB  1.0 GB  needs 9.1 GB  1.6 GB  8.0 GB  45.0 ms
`);
});

test("a link that is the bottleneck, and the type that would be faster, with bytes and factors", () => {
  const smaller = { type: "f16", bytes: 8192, gains: [1.2, 1.94] } as const;
  const activations = { type: "f32", bytes: 16_384, link: 12.5e6, smaller } as const;
  const page = formatPlan({ ...(RUNNING as PlanReport), activations }, styleFor({}, undefined));
  expect(page).toContain("655 kB/s for 8 streams. The link carries 12.5 MB/s.\n");
  expect(page).toContain(
    "The link is the bottleneck: `--activation-type f16` (8.2 kB a token) gives 1.2 times the tokens/s for 1 stream, " +
      "1.9 times the tokens/s for 8 streams; answers then depend on where the layers are cut.",
  );
});

test("where the times come from is said, and disturbed ones give no advice", () => {
  const shape = (RUNNING as PlanReport).shape;
  const predictions = shape.predictions.map((each) => ({ ...each, tokensPerSecond: 9 * each.tokensPerSecond }));
  const single = { ...shape, workers: 1, threads: 2, predictions };
  const report = { ...(RUNNING as PlanReport), single, why: "It is fastest.", randomType: "Q4_K_M", disturbed: 0.384 };
  const page = formatPlan(report, styleFor({}, undefined));
  expect(page).toContain(
    "\nIt is fastest.\nm8 is not on this machine: random Q4_K_M weights of its shape were timed.\n",
  );
  expect(page).toContain("Other processes had the cores for 38 % of the time while layers were timed, so these speeds");
  expect(page).not.toContain("Fewer workers");
});

test("a faster single worker is recommended, with its factors", () => {
  const shape = (RUNNING as PlanReport).shape;
  const predictions = shape.predictions.map((each) => ({ ...each, tokensPerSecond: 1.8 * each.tokensPerSecond }));
  const single = { ...shape, workers: 1, threads: 2, predictions };
  expect(formatPlan({ ...(RUNNING as PlanReport), single }, styleFor({}, undefined))).toContain(
    "Fewer workers would be faster: `--workers 1 --threads 2` gives 1.8 times the tokens/s for 1 stream, 1.8 times the tokens/s for 8 streams.",
  );
});

test("there is no plan while workers have not timed their layers", () => {
  const status = clusterStatus([workerStatus("a", [0, 8], { stepTimes: null })]);
  expect(reportRunning(status, wanted(1))).toBeNull();
});

test("a single worker that is impossible is explained instead", () => {
  const report = { ...(RUNNING as PlanReport), singleRefused: "worker 1 needs 9 GB." };
  expect(formatPlan(report, styleFor({}, undefined)).split("\n").at(-1)).toBe(
    "A single worker is not possible: worker 1 needs 9 GB.",
  );
});

test("one worker with several threads is written as such", () => {
  const { shape } = RUNNING as PlanReport;
  const stages = shape.stages.slice(0, 1).map((stage) => ({ ...stage, last: 8, heads: true }));
  const [title, , , row] = formatPlan(
    { ...(RUNNING as PlanReport), shape: { ...shape, workers: 1, threads: 4, stages } },
    styleFor({}, undefined),
  ).split("\n");
  expect(title).toMatch(/^m8 {2}1 worker x 4 threads, /);
  expect(row).toMatch(/^1 +0-7 \+ head +600 MB/);
});

test("the kernels of the workers are named, all of them where they differ", () => {
  const workers = [workerStatus("a", [0, 5], { kernels: "avx2" }), workerStatus("b", [5, 8], { kernels: "amx-int8" })];
  const [title] = formatPlan(
    reportRunning(clusterStatus(workers), wanted(1)) as PlanReport,
    styleFor({}, undefined),
  ).split("\n");
  expect(title).toMatch(/, kernels avx2, amx-int8$/);
});
