import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClusterStatus } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { pidsOf } from "../cluster/processes.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { spawnService } from "../cluster/spawn-service.js";
import { RunningCluster, statusAt } from "../cluster/start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const SIMULATE = "stage-ms=20";
const STREAMS = 4;
const RHONE_JOB_LOCK = "600"; // longer than the test: what a coordinator holds goes with its lease alone
const PATIENCE = { timeout: 40_000, interval: 50 };

test.each([
  ["when another has just taken its requests", 0],
  ["while another writes them", 20],
])("a stopped coordinator that wakes %s writes nothing", { timeout: 120_000 }, async (_, tokensLater) => {
  // The supervisor shall not replace the stopped one: two coordinators of one Redis are what is looked at.
  const env = { RHONE_HUNG_AFTER: "600", RHONE_JOB_LOCK };
  const cluster = await RunningCluster.start(["--workers", "1", "--simulate", SIMULATE], { env });
  onTestFinished(() => cluster.stop());
  const startStreams = () =>
    Array.from({ length: STREAMS }, (_, index) => {
      const body = { prompt: `Stream ${index}`, max_tokens: 200, ignore_eos: true, temperature: 0 };
      return new ResumingStream(cluster, body, 100_000);
    });
  const [second, ...undisturbed] = await Promise.all([
    startSecondCoordinator(cluster),
    ...startStreams().map(({ done }) => done),
  ]);

  const zombie = pidsOf(cluster).coordinator ?? 0;
  const streams = startStreams();
  const shortest = () => Math.min(...streams.map(({ ids }) => ids.length));
  await expect.poll(shortest, PATIENCE).toBeGreaterThan(10);
  process.kill(zombie, "SIGSTOP");
  onTestFinished(() => void process.kill(zombie, "SIGCONT"));
  await second.takeJobs();
  // Clients may be behind: that they get tokens does not yet say whose.
  await expect.poll(async () => (await second.status()).sequences.running, PATIENCE).toBe(STREAMS);
  const taken = Math.max(...streams.map(({ ids }) => ids.length));
  await expect.poll(shortest, PATIENCE).toBeGreaterThanOrEqual(tokensLater === 0 ? 0 : taken + tokensLater);
  process.kill(zombie, "SIGCONT");
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  // It drops them, which is no end of a request by its own count.
  await expect.poll(async () => (await cluster.status()).sequences.running, PATIENCE).toBe(0);
  expect(await finishedBy(await cluster.status())).toBe(STREAMS);
  expect(await finishedBy(await second.status())).toBe(STREAMS);
  expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
});

const finishedBy = ({ operations }: ClusterStatus): Promise<number> =>
  readMetric(operations, "rhone_requests_finished_total");

interface SecondCoordinator {
  status(): Promise<ClusterStatus>;
  /** Starts its worker. */
  takeJobs(): Promise<void>;
}

/** A coordinator without workers, which therefore takes no jobs until a worker joins it. */
async function startSecondCoordinator(cluster: RunningCluster): Promise<SecondCoordinator> {
  const secret = { RHONE_CLUSTER_SECRET_FILE: join(cluster.dataDir, "cluster-secret") };
  const own = ["--port", "0", "--ops-port", "0", "--workers", "1", "--simulated", "true"];
  const coordinator = await spawnService("coordinator", ["--model-path", BREEZE, "--model-name", "breeze", ...own], {
    env: { ...secret, REDIS_URL: cluster.record().redisUrl, RHONE_JOB_LOCK },
  });
  onTestFinished(() => coordinator.stop("SIGKILL"));
  const { grpc = "", ops = "" } = coordinator.addresses;
  const status = (): Promise<ClusterStatus> => statusAt(ops, cluster.dataDir);
  const flags = ["--coordinator", grpc, "--port", "0", "--simulate", SIMULATE];
  const takeJobs = async (): Promise<void> => {
    const worker = await spawnService("shard-worker", flags, { env: secret });
    onTestFinished(() => worker.stop("SIGKILL"));
  };
  return { status, takeJobs };
}
