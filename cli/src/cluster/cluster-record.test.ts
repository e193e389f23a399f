import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createDataDir, dataDirAt } from "../data-dir.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { ClusterClaim, readClusterRecord } from "./cluster-record.js";

const about = { url: "http://127.0.0.1:1", model: "breeze" };
const noLeftovers = async () => {};

async function freshDataDir() {
  const dataDir = dataDirAt(join(await temporaryFolder(), "home"));
  await createDataDir(dataDir);
  return dataDir;
}

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
  await ClusterClaim.take(dataDir, about, async (processes) => {
    handedOver.push(...processes.map(({ name }) => name));
  });
  expect(handedOver).toEqual(["worker-1"]);
  expect(await readClusterRecord(dataDir)).toMatchObject({ supervisor: { pid: process.pid }, state: "starting" });
});

test("a record that can't be read does not block", async () => {
  const dataDir = await freshDataDir();
  await writeFile(dataDir.clusterFile, "{");
  await ClusterClaim.take(dataDir, about, noLeftovers);
});
