import { expect, test } from "vitest";
import { rhone } from "../cluster/start-cluster.js";

interface Report {
  readonly scenario: string;
  readonly commit: string | null;
  readonly clusters: readonly { readonly workers: readonly { readonly layers: readonly number[] }[] }[];
  readonly result: { readonly baselineThreads: number; readonly points: readonly Point[] };
}

interface Point {
  readonly concurrency: number;
  readonly ttftMs: Readonly<Record<"p50" | "p95" | "p99", number>>;
  readonly itlMs: Readonly<Record<"p50" | "p95" | "p99", number>>;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly inside: {
    readonly stages: readonly { readonly stage: number; readonly busy: number }[];
    readonly bubble: number;
    readonly hopMs: number;
    readonly bytesPerToken: number;
    readonly steps: number;
    readonly coordinatorMs: { readonly decide: number; readonly record: number };
  };
  readonly baseline: { readonly decodeRatio: number; readonly prefillRatio: number };
}

const SWEEP = ["bench", "sweep", "--spawn", "--workers", "2", "--threads", "1", "--json"];

test("rhone bench sweep measures a cluster that it starts and stops, beside llama.cpp", async () => {
  const counts = ["-c", "1,3", "--prompt-tokens", "24", "--max-tokens", "48", "--baseline"];
  // Else the third stream's prompt may be held back until the first stream has ended.
  const { code, stdout, stderr } = await rhone([...SWEEP, ...counts, "--target-itl", "off"]);
  expect(code, stderr).toBe(0);
  const { scenario, clusters, result } = JSON.parse(stdout) as Report;
  expect(scenario).toBe("sweep");
  expect(clusters.map(({ workers }) => workers.map(({ layers }) => layers))).toEqual([
    [
      [0, 16],
      [16, 32],
    ],
  ]);
  expect(result.baselineThreads).toBe(2);
  expect(result.points.map(({ concurrency }) => concurrency)).toEqual([1, 3]);
  for (const { ttftMs, itlMs, inside, baseline, ...rates } of result.points) {
    for (const { p50, p95, p99 } of [ttftMs, itlMs])
      expect([p50, p95, p99]).toEqual([p50, p95, p99].toSorted(ascending));
    expect(ttftMs.p50).toBeGreaterThan(0);
    expect(rates.decodeTokensPerSecond).toBeGreaterThan(0);
    expect(rates.prefillTokensPerSecond).toBeGreaterThan(0);
    expect(baseline.decodeRatio).toBeGreaterThan(0);
    expect(baseline.prefillRatio).toBeGreaterThan(0);
    expect(inside.stages.map(({ stage }) => stage)).toEqual([0, 1]);
    for (const { busy } of inside.stages) expect(busy).toBeGreaterThan(0);
    expect(inside.bubble).toBeGreaterThanOrEqual(0);
    expect(inside.bubble).toBeLessThan(1);
    expect(inside.bytesPerToken).toBe(512); // 128 values of Breeze's hidden state, as f32, once
    expect(inside.steps).toBeGreaterThan(0);
    expect(inside.coordinatorMs.decide).toBeGreaterThan(0);
    expect(inside.coordinatorMs.record).toBeGreaterThan(0);
  }
});

test("rhone bench needs a cluster, and can't change one that runs", async () => {
  const nobody = await rhone(["bench", "sweep", "--data-dir", "/nonexistent/rhone"]);
  expect([nobody.code, nobody.stderr]).toEqual([3, expect.stringContaining("NOT_RUNNING")]);
  const changed = await rhone(["bench", "sweep", "--workers", "4"]);
  expect([changed.code, changed.stderr]).toEqual([2, expect.stringContaining("--spawn")]);
});

const ascending = (a: number, b: number): number => a - b;
