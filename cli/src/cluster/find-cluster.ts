import { RhoneError } from "@rhone/common";
import type { DataDir } from "../data-dir.js";
import { aliveProcesses, type ClusterRecord, readClusterRecord } from "./cluster-record.js";
import { lastFailure } from "./last-failure.js";

/** The running cluster of a data directory. Throws NOT_RUNNING. */
export async function runningCluster(dataDir: DataDir): Promise<ClusterRecord> {
  const record = await readClusterRecord(dataDir);
  if (record !== null && aliveProcesses(record).length > 0) return record;
  throw new RhoneError("NOT_RUNNING", `No cluster is running in ${dataDir.root}.${endOf(record)}`);
}

/** A cluster that ends in order takes its record with it. */
function endOf(left: ClusterRecord | null): string {
  if (left === null || left.joined !== undefined) return "";
  return ` The last one ended with its supervisor (process ${left.supervisor.pid}), which was killed or crashed.`;
}

/** The URL of its gateway. Throws NOT_RUNNING, with the reason of the last cluster if that failed. */
export async function urlOfCluster(dataDir: DataDir): Promise<string> {
  try {
    const { url, joined } = await runningCluster(dataDir);
    if (url !== "" || joined === undefined) return url;
    const elsewhere = `This machine is a member of the cluster at ${joined}, whose gateway runs elsewhere`;
    throw new RhoneError("INVALID_CONFIG", `${elsewhere}. Name it with --url.`);
  } catch (error) {
    if (error instanceof RhoneError && error.code !== "NOT_RUNNING") throw error;
    const failure = await lastFailure(dataDir);
    if (failure === null || !(error instanceof RhoneError)) throw error;
    const { at, code, message } = failure;
    throw new RhoneError(error.code, `${error.message} The last one failed at ${at} with ${code}: ${message}`);
  }
}
