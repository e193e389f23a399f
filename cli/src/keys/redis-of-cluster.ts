import { RhoneError } from "@rhone/common";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import type { CommandContext } from "../command-context.js";

/** The Redis that keeps a cluster's state: the one that was named, else that of the data directory's cluster, else REDIS_URL. Throws NOT_RUNNING. */
export async function redisOfCluster(
  named: string | undefined,
  { dataDir, config }: Pick<CommandContext, "dataDir" | "config">,
): Promise<string> {
  const record = named === undefined ? await readClusterRecord(dataDir) : null;
  const own = record !== null && aliveProcesses(record).length > 0 ? record.redisUrl : undefined;
  const url = named ?? own ?? config.redisUrl;
  if (url !== undefined) return url;
  throw new RhoneError(
    "NOT_RUNNING",
    `No cluster runs in ${dataDir.root}; start it, or name its Redis with --redis-url or REDIS_URL.`,
  );
}
