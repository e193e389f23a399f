import { rm } from "node:fs/promises";
import type { DataDir } from "../data-dir.js";
import { askToEnd, endProcesses, isAlive, untilGone } from "../processes/process-identity.js";
import { endLeftoverRedis } from "../redis/leftover-redis.js";
import { aliveProcesses, readClusterRecord } from "./cluster-record.js";

/** crashed: its supervisor was gone; the processes that it left were ended. */
export type StopOutcome = "stopped" | "crashed" | "not-running";

/** A supervisor gives each of its four groups of services 10 s before it kills it. */
const SUPERVISOR_DEADLINE_MS = 60_000;
/** A member's worker hands its layers over first, and its gateway finishes its streams: ten minutes by default. */
const MEMBER_DEADLINE_MS = 15 * 60_000;

/** Stops the cluster of a data directory and waits until all of its processes are gone. */
export async function stopCluster(dataDir: DataDir): Promise<StopOutcome> {
  const record = await readClusterRecord(dataDir);
  if (record === null) {
    await rm(dataDir.clusterFile, { force: true });
    return "not-running";
  }
  const wasAlive = isAlive(record.supervisor);
  const before = aliveProcesses(record);
  if (wasAlive) {
    askToEnd(record.supervisor);
    await untilGone(before, record.joined === undefined ? SUPERVISOR_DEADLINE_MS : MEMBER_DEADLINE_MS);
  }
  await endProcesses(aliveProcesses(record));
  await endLeftoverRedis(dataDir.run);
  await rm(dataDir.clusterFile, { force: true });
  return wasAlive ? "stopped" : "crashed";
}
