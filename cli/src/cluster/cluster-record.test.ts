import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDataDir, type DataDir, dataDirAt } from "../data-dir.js";
import { ClusterClaim, readClusterRecord } from "./cluster-record.js";

const about = { url: "http://127.0.0.1:8080", model: "breeze", redis: "none" };
const noLeftovers = async () => {};

describe("ClusterClaim", () => {
  let dataDir: DataDir;
  beforeEach(async () => {
    dataDir = dataDirAt(await mkdtemp(join(tmpdir(), "rhone-record-")));
    await createDataDir(dataDir);
  });
  afterEach(() => rm(dataDir.root, { recursive: true }));

  it("is readable by its owner alone, and goes when released", async () => {
    const claim = await ClusterClaim.take(dataDir, about, noLeftovers);
    expect((await stat(dataDir.clusterFile)).mode & 0o777).toBe(0o600);
    expect(await readClusterRecord(dataDir)).toMatchObject({ model: "breeze", state: "starting" });
    await claim.release();
    expect(await readClusterRecord(dataDir)).toBeNull();
  });

  it("refuses a second cluster, with the way out", async () => {
    const claim = await ClusterClaim.take(dataDir, about, noLeftovers);
    await claim.update({ state: "ready" });
    await expect(ClusterClaim.take(dataDir, about, noLeftovers)).rejects.toMatchObject({
      code: "ALREADY_RUNNING",
      message: expect.stringContaining("rhone down"),
    });
  });

  it("lets one of many win", async () => {
    const attempts = Array.from({ length: 8 }, () => ClusterClaim.take(dataDir, about, noLeftovers));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("takes over from a crash, after what outlived it is ended", async () => {
    const claim = await ClusterClaim.take(dataDir, about, noLeftovers);
    const record = await readClusterRecord(dataDir);
    const self = { ...record?.supervisor, name: "worker-1" };
    const crashed = { ...record, supervisor: { ...record?.supervisor, startedAt: "before" }, services: [self] };
    await writeFile(dataDir.clusterFile, JSON.stringify(crashed));
    const ended: string[] = [];
    await ClusterClaim.take(dataDir, about, async (processes) => {
      ended.push(...processes.map(({ name }) => name));
    });
    expect(ended).toEqual(["worker-1"]);
    await claim.release();
  });

  it("takes over from a file that can't be read", async () => {
    await writeFile(dataDir.clusterFile, "{ cut o");
    await expect(ClusterClaim.take(dataDir, about, noLeftovers)).resolves.toBeInstanceOf(ClusterClaim);
  });
});
