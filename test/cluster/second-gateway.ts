import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type SpawnedService, spawnService } from "./spawn-service.js";
import type { RunningCluster } from "./start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));

export interface SecondGateway extends Pick<SpawnedService, "stop"> {
  readonly url: string;
}

/** Starts another gateway of a cluster that serves Breeze, on its own port. Throws with its log if that fails. */
export async function startSecondGateway(cluster: RunningCluster, flags: readonly string[]): Promise<SecondGateway> {
  const storage = join(cluster.dataDir, "storage");
  const own = ["--port", "0", "--model-path", BREEZE, "--model-name", "breeze", "--storage", storage];
  const env = { REDIS_URL: cluster.record().redisUrl };
  const { addresses, stop } = await spawnService("gateway", [...own, ...flags], { env });
  return { url: `http://${addresses.http}`, stop };
}
