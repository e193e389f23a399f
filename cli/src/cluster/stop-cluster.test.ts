import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { identifyProcess } from "../processes/process-identity.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import type { RecordedProcess } from "./cluster-record.js";
import { stopCluster } from "./stop-cluster.js";

async function aProcess(name: string): Promise<{ readonly child: ChildProcess; readonly recorded: RecordedProcess }> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  const identity = identifyProcess(child.pid ?? 0);
  if (identity === null) throw new Error("the child was not found");
  return { child, recorded: { name, ...identity } };
}

async function dataDirWith(supervisor: RecordedProcess, services: readonly RecordedProcess[]) {
  const dataDir = await freshDataDir();
  const about = { state: "ready", startedAtMs: 0, url: "http://127.0.0.1:1", model: "breeze", redis: "" };
  await writeFile(dataDir.clusterFile, JSON.stringify({ supervisor, services, ...about }));
  return dataDir;
}

test("a supervisor is asked to stop, and services that outlive it are ended", async () => {
  const [supervisor, worker] = [await aProcess("supervisor"), await aProcess("worker-1")];
  const dataDir = await dataDirWith(supervisor.recorded, [worker.recorded]);
  const workerEnded = once(worker.child, "exit");
  // A supervisor would stop its services; this one is only told to.
  supervisor.child.once("exit", () => worker.child.kill("SIGINT"));
  expect(await stopCluster(dataDir)).toBe("stopped");
  expect(supervisor.child.signalCode).toBe("SIGTERM");
  expect(await workerEnded).toEqual([null, "SIGINT"]);
  expect(existsSync(dataDir.clusterFile)).toBe(false);
});

test("what a crashed supervisor left is ended", async () => {
  const worker = await aProcess("worker-1");
  const gone = { name: "supervisor", pid: process.pid, startedAt: "long ago" };
  const dataDir = await dataDirWith(gone, [worker.recorded]);
  const ended = once(worker.child, "exit");
  expect(await stopCluster(dataDir)).toBe("crashed");
  expect(await ended).toEqual([null, "SIGTERM"]);
  expect(existsSync(dataDir.clusterFile)).toBe(false);
});

test("there is nothing to stop without a record, and one that can't be read is removed", async () => {
  const dataDir = await freshDataDir();
  expect(await stopCluster(dataDir)).toBe("not-running");
  await writeFile(dataDir.clusterFile, "{");
  expect(await stopCluster(dataDir)).toBe("not-running");
  expect(existsSync(dataDir.clusterFile)).toBe(false);
});
