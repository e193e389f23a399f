import { inject } from "vitest";
import { readClusterRecord } from "../../cli/dist/cluster/cluster-record.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import { RunningCluster } from "./start-cluster.js";

/**
 * Breeze on one worker, shared by all files of the project, which run one after another; the first starts it. Tests
 * leave it idle, with every process alive.
 */
export async function sharedCluster(): Promise<RunningCluster> {
  const dataDir = inject("sharedCluster");
  const record = await readClusterRecord(dataDirAt(dataDir));
  if (record !== null) return new RunningCluster({ url: record.url, dataDir });
  return RunningCluster.start(["--workers", "1", "--threads", "1"], { dataDir });
}

/**
 * Tokens for two or three calls. Breeze repeats a call that it must make until the answer is full, or has 16 calls,
 * which takes a second or two; the grammar ends an answer within any room.
 */
export const ROOM = 120;
