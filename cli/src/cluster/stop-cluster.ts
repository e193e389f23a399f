import { rm } from "node:fs/promises";
import type { DataDir } from "../data-dir.js";
import { endProcesses, isAlive, signalProcess, untilGone } from "../processes/process-identity.js";
import { endLeftoverRedis } from "../redis/leftover-redis.js";
import { aliveProcesses, readClusterRecord } from "./cluster-record.js";

/** stopped: it ran. crashed: its supervisor was gone; what it left was cleared away. */
export type StopOutcome = "stopped" | "crashed" | "not-running";

/** A supervisor gives each of four groups 10 s before it kills them. */
const SUPERVISOR_DEADLINE_MS = 60_000;

/** Stops the cluster of a data directory and waits until the last of its processes is gone. */
export async function stopCluster(dataDir: DataDir): Promise<StopOutcome> {
  const record = await readClusterRecord(dataDir);
  if (record === null) {
    await rm(dataDir.clusterFile, { force: true });
    return "not-running";
  }
  const wasAlive = isAlive(record.supervisor);
  const before = aliveProcesses(record);
  if (wasAlive) {
    signalProcess(record.supervisor, "SIGTERM");
    await untilGone(before, SUPERVISOR_DEADLINE_MS);
  }
  await endProcesses(aliveProcesses(record));
  await endLeftoverRedis(dataDir.run);
  await rm(dataDir.clusterFile, { force: true });
  return wasAlive ? "stopped" : "crashed";
}
