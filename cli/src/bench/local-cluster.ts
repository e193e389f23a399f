import type { ClusterProcess, LocalCluster } from "@rhone/bench";
import { fetchStatus } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import { aliveProcesses, type ClusterRecord, readClusterRecord } from "../cluster/cluster-record.js";
import { clusterSecretOf } from "../cluster/cluster-security.js";
import type { DataDir } from "../data-dir.js";
import { isAlive } from "../processes/process-identity.js";
import { readLeftoverRedis } from "../redis/leftover-redis.js";

export interface LocalAccess {
  readonly signal: AbortSignal;
  readonly apiKey?: string | undefined;
}

/** A cluster by the record in its data directory. */
export class RecordedCluster implements LocalCluster {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly redisInMemory: boolean;
  readonly redisUrl: string | null;
  readonly folder: string;
  readonly #dataDir: DataDir;
  readonly #signal: AbortSignal;

  private constructor(dataDir: DataDir, record: ClusterRecord, { signal, apiKey }: LocalAccess) {
    this.#dataDir = dataDir;
    this.#signal = signal;
    this.url = record.url;
    this.apiKey = apiKey;
    this.redisInMemory = record.inMemory === true;
    this.redisUrl = record.redisUrl ?? null;
    this.folder = dataDir.root;
  }

  /** Throws NOT_RUNNING. */
  static async open(dataDir: DataDir, access: LocalAccess): Promise<RecordedCluster> {
    const record = await readClusterRecord(dataDir);
    if (record === null || !isAlive(record.supervisor)) {
      throw new RhoneError("NOT_RUNNING", `No cluster is running in ${dataDir.root}.`);
    }
    return new RecordedCluster(dataDir, record, access);
  }

  async processes(): Promise<readonly ClusterProcess[]> {
    const record = await readClusterRecord(this.#dataDir);
    if (record === null || !isAlive(record.supervisor)) return [];
    const server = await readLeftoverRedis(this.#dataDir.run);
    const own = server === null || !isAlive(server) ? [] : [{ name: "redis-server", ...server }];
    return [...aliveProcesses(record), ...own];
  }

  async status() {
    const clusterSecret = clusterSecretOf(this.#dataDir);
    return (await fetchStatus(this.url, { signal: this.#signal, clusterSecret })).coordinators;
  }
}
