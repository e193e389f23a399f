import { readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { aliveProcesses, ClusterClaim, readClusterRecord } from "./cluster-record.js";

const about = { url: "http://127.0.0.1:1", model: "breeze" };
const noLeftovers = async () => {};

test("one claim at a time; changes are kept in order; a released one can be taken again", async () => {
  const dataDir = await freshDataDir();
  const claim = await ClusterClaim.take(dataDir, about, noLeftovers);
  await expect(ClusterClaim.take(dataDir, about, noLeftovers)).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
  void claim.update({ state: "ready" });
  await claim.update({ url: "http://127.0.0.1:2" });
  expect(await readClusterRecord(dataDir)).toMatchObject({ state: "ready", url: "http://127.0.0.1:2" });
  await claim.release();
  expect(await readClusterRecord(dataDir)).toBeNull();
  await ClusterClaim.take(dataDir, about, noLeftovers);
});

test("a record whose supervisor is gone is replaced, and its surviving processes are handed over", async () => {
  const dataDir = await freshDataDir();
  await ClusterClaim.take(dataDir, about, noLeftovers);
  const record = await readClusterRecord(dataDir);
  const survivor = { ...record?.supervisor, name: "worker-1" };
  const crashed = { ...record, supervisor: { ...record?.supervisor, startedAt: "before" }, services: [survivor] };
  await writeFile(dataDir.clusterFile, JSON.stringify(crashed));
  const handedOver: string[] = [];
  const claim = await ClusterClaim.take(dataDir, about, async (processes) => {
    handedOver.push(...processes.map(({ name }) => name));
  });
  expect([handedOver, claim.hasPredecessor]).toEqual([["worker-1"], true]);
  expect(await readClusterRecord(dataDir)).toMatchObject({ supervisor: { pid: process.pid }, state: "starting" });
});

test("of two that find a crashed cluster, the one that takes longer to end its processes is the second", async () => {
  const dataDir = await freshDataDir();
  await ClusterClaim.take(dataDir, about, noLeftovers);
  const record = await readClusterRecord(dataDir);
  const crashed = { ...record, supervisor: { ...record?.supervisor, startedAt: "before" } };
  await writeFile(dataDir.clusterFile, JSON.stringify(crashed));
  const slow = ClusterClaim.take(dataDir, about, async () => {
    await ClusterClaim.take(dataDir, { ...about, model: "the other's" }, noLeftovers);
  });
  await expect(slow).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
  expect(await readClusterRecord(dataDir)).toMatchObject({ model: "the other's" });
  expect(await readdir(dataDir.run)).toEqual(["cluster.json"]);
});

test("a record that can't be read does not block", async () => {
  const dataDir = await freshDataDir();
  await writeFile(dataDir.clusterFile, "{");
  await ClusterClaim.take(dataDir, about, noLeftovers);
});

test("of claims at the same time one wins", async () => {
  const dataDir = await freshDataDir();
  const claims = await Promise.allSettled([1, 2, 3].map(() => ClusterClaim.take(dataDir, about, noLeftovers)));
  expect(claims.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected", "rejected"]);
});

test("of claims at the same time on what a crash has left one wins", async () => {
  const dataDir = await freshDataDir();
  await ClusterClaim.take(dataDir, about, noLeftovers);
  const record = await readClusterRecord(dataDir);
  const crashed = { ...record, supervisor: { ...record?.supervisor, startedAt: "before" } };
  for (let round = 0; round < 10; round++) {
    await writeFile(dataDir.clusterFile, JSON.stringify(crashed));
    const claims = await Promise.allSettled([1, 2, 3, 4].map(() => ClusterClaim.take(dataDir, about, noLeftovers)));
    expect(claims.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  }
});

test("a cluster that is still starting says so to the next one", async () => {
  const dataDir = await freshDataDir();
  await ClusterClaim.take(dataDir, about, noLeftovers);
  const message = expect.stringMatching(
    /already starting \(process \d+\)\. .* stop it with: rhone down --data-dir \S+$/,
  );
  await expect(ClusterClaim.take(dataDir, about, noLeftovers)).rejects.toMatchObject({ message });
});

test("of a record only the living processes count, the supervisor first", async () => {
  const dataDir = await freshDataDir();
  const claim = await ClusterClaim.take(dataDir, about, noLeftovers);
  const record = await readClusterRecord(dataDir);
  if (record === null) throw new Error("no record");
  const gone = { ...record.supervisor, name: "worker-1", startedAt: "before" };
  const alive = { ...record.supervisor, name: "worker-2" };
  expect(aliveProcesses({ ...record, services: [gone, alive] }).map(({ name }) => name)).toEqual([
    "supervisor",
    "worker-2",
  ]);
  await claim.release();
});
