import type { ClusterStatus } from "@rhone/common";
import { expect, test } from "vitest";
import { describeCluster, reportOf } from "./report.js";

const worker = (name: string, layers: readonly [number, number] | null) => ({
  ...{ worker: name, hostname: "secret-host", address: "10.0.0.7:1", device: "CPU", threads: 2, layers },
});

const STATUS = {
  model: {
    ...{ name: "m8", path: "/home/me/m8.gguf", nLayers: 8, parameters: 2e9, fileBytes: 1.2e9 },
    ...{ contextLength: 4096, slidingWindow: null, vocabSize: 512, fingerprint: "f" },
  },
  kvType: "f16",
  pages: { size: 32, total: 100, free: 90, cached: 5 },
  workers: [worker("spare", null), worker("b", [4, 8]), worker("a", [0, 4])],
} as unknown as ClusterStatus;

test("a cluster is described by what decides its figures, stages in order, spares last", () => {
  const cluster = describeCluster(STATUS);
  expect(cluster.workers.map(({ layers }) => layers)).toEqual([[0, 4], [4, 8], null]);
  expect(cluster.pages).toEqual({ size: 32, total: 100 });
  expect(cluster.model).toMatchObject({ name: "m8", layers: 8, slidingWindow: null });
});

test("no path, host or address of the machine is in a description", () => {
  expect(JSON.stringify(describeCluster(STATUS))).not.toMatch(/home|secret-host|10\.0\.0\.7/);
});

test("a report adds the time, the commit and the hardware", async () => {
  const measured = { scenario: "sweep", clusters: [], options: { repeat: 3 }, result: { points: [] } };
  const report = await reportOf(measured);
  expect(report).toMatchObject(measured);
  expect(new Date(report.at).toISOString()).toBe(report.at);
  expect(report.commit).toMatch(/^[0-9a-f]{7,}(-dirty)?$/);
  expect(report.hardware.cores).toBeGreaterThan(0);
  expect(report.hardware.node).toBe(process.version);
});
