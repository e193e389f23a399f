import { RhoneError } from "@rhone/common";
import type { DataDir } from "../data-dir.js";
import { aliveProcesses, type ClusterRecord, readClusterRecord } from "./cluster-record.js";

/** The cluster that runs in a data directory. Throws NOT_RUNNING. */
export async function runningCluster(dataDir: DataDir): Promise<ClusterRecord> {
  const record = await readClusterRecord(dataDir);
  if (record !== null && aliveProcesses(record).length > 0) return record;
  throw new RhoneError("NOT_RUNNING", `No cluster runs in ${dataDir.root}.`);
}
