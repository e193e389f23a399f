import { stat } from "node:fs/promises";
import { expect, test } from "vitest";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { supervisorTurns } from "./supervisor-turns.js";

test("a supervisor that touches its record turns", async () => {
  expect(await supervisorTurns(await recordedCluster({}))).toBe(true);
});

test("one that does not touch it in time does not", async () => {
  expect(await supervisorTurns(await recordedCluster({}), 0)).toBe(false);
});

test("a cluster that ends meanwhile has no record to look at", async () => {
  await expect(supervisorTurns(await freshDataDir())).rejects.toThrow("ENOENT");
});

test("touching leaves the record as it is", async () => {
  const { clusterFile } = await recordedCluster({});
  const { size, mtimeMs } = await stat(clusterFile);
  await expect.poll(async () => (await stat(clusterFile)).mtimeMs, { timeout: 5000 }).toBeGreaterThan(mtimeMs);
  expect((await stat(clusterFile)).size).toBe(size);
});
