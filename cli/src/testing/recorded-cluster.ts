import { onTestFinished } from "vitest";
import { ClusterClaim, type ClusterRecord } from "../cluster/cluster-record.js";
import { createDataDir, type DataDir, dataDirAt } from "../data-dir.js";
import { temporaryFolder } from "./temporary-folder.js";

/** A new data directory. */
export async function freshDataDir(): Promise<DataDir> {
  const dataDir = dataDirAt(await temporaryFolder());
  await createDataDir(dataDir);
  return dataDir;
}

/** A data directory whose record says that this process runs a cluster in it. */
export async function recordedCluster(about: Partial<ClusterRecord>): Promise<DataDir> {
  const dataDir = await freshDataDir();
  const claim = await ClusterClaim.take(dataDir, { url: "http://127.0.0.1:1", model: "breeze" }, async () => {});
  onTestFinished(() => claim.release());
  await claim.update({ state: "ready", ...about });
  return dataDir;
}
