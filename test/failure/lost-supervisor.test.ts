import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const FLAGS = ["--workers", "2", "--simulate", "stage-ms=10"];
const STREAMS = 8;
const PATIENCE = { timeout: 30_000, interval: 50 };

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(FLAGS);
});
afterAll(async () => {
  await cluster?.stop();
});

const startStreams = (): readonly ResumingStream[] =>
  Array.from({ length: STREAMS }, (_, index) => {
    const body = { prompt: `Stream ${index}`, max_tokens: 120, ignore_eos: true, temperature: 0 };
    return new ResumingStream(cluster, body, 80_000);
  });

/** A process that is dead and not yet collected is gone. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

test("a killed supervisor takes its services with it; one that is started again goes on with their requests", {
  timeout: 120_000,
}, async ({ annotate }) => {
  const undisturbed = await Promise.all(startStreams().map(({ done }) => done));
  const streams = startStreams();
  await expect.poll(() => Math.min(...streams.map(({ ids }) => ids.length)), PATIENCE).toBeGreaterThan(10);
  const before = pidsOf(cluster);
  const { operations } = cluster.record();
  process.kill(before.supervisor ?? 0, "SIGKILL");
  await expect.poll(() => Object.values(before).filter((pid) => !isGone(pid)), PATIENCE).toEqual([]);
  const args = ["up", "--detach", "--port", new URL(cluster.url).port, "--data-dir", cluster.dataDir, ...FLAGS];
  const { code, stderr } = await rhone(args);
  expect(code, stderr).toBe(0);
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  await annotate(`longest gap ${Math.max(...streams.map(({ longestGapMs }) => longestGapMs))} ms`);
  // A coordinator at the address of another releases what that one held.
  expect(cluster.record().operations).toBe(operations);
});
