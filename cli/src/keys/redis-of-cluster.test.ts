import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ClusterClaim } from "../cluster/cluster-record.js";
import { readCliConfig } from "../config.js";
import { createDataDir, dataDirAt } from "../data-dir.js";
import { redisOfCluster } from "./redis-of-cluster.js";

async function context(redisUrl: string | undefined) {
  const home = await mkdtemp(join(tmpdir(), "rhone-keys-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const dataDir = dataDirAt(home);
  await createDataDir(dataDir);
  return { dataDir, config: { ...readCliConfig(home), redisUrl } };
}

test("the Redis that is named goes before the running cluster's, that one before REDIS_URL", async () => {
  const here = await context("redis://variable");
  expect(await redisOfCluster(undefined, here)).toBe("redis://variable");
  const about = { url: "http://127.0.0.1:1", model: "breeze", redisUrl: "unix:///own.sock" };
  const claim = await ClusterClaim.take(here.dataDir, about, async () => {});
  expect(await redisOfCluster(undefined, here)).toBe("unix:///own.sock");
  expect(await redisOfCluster("redis://named", here)).toBe("redis://named");
  await claim.release();
});

test("without any there is no cluster", async () => {
  await expect(redisOfCluster(undefined, await context(undefined))).rejects.toMatchObject({ code: "NOT_RUNNING" });
});
