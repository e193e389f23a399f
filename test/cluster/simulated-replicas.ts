import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ClusterStatus, loadsKey, openRedis } from "@rhone/common";
import type { Redis } from "ioredis";
import { type SpawnedService, spawnService } from "./spawn-service.js";
import { RunningCluster, statusAt } from "./start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const MODEL = "breeze";
/** In place of 10 s, so that the requests of a coordinator that is killed go on soon. */
const RHONE_JOB_LOCK = "2";

export interface Replica {
  status(): Promise<ClusterStatus>;
  /** As kill -9, and nobody starts it again. */
  kill(): Promise<void>;
}

export interface ReplicasOptions {
  /** How their stages are simulated. */
  readonly simulate: string;
  /** Sequences that each runs at most. */
  readonly sequences: number;
}

/** A cluster whose replicas, of one simulated stage each, are processes of their own. */
export class SimulatedReplicas {
  readonly cluster: RunningCluster;
  readonly replicas: Replica[] = [];
  readonly #options: ReplicasOptions;
  readonly #redis: Redis;
  readonly #services: SpawnedService[] = [];

  private constructor(cluster: RunningCluster, redis: Redis, options: ReplicasOptions) {
    this.cluster = cluster;
    this.#redis = redis;
    this.#options = options;
    this.replicas.push({ status: () => cluster.status(), kill: () => Promise.reject(new Error("it is started again")) });
  }

  /** With one replica, which `rhone up` started. */
  static async start(options: ReplicasOptions): Promise<SimulatedReplicas> {
    const { simulate, sequences } = options;
    const sizes = ["--max-sequences", `${sequences}`, "--sliding-window", "0"];
    const flags = ["--workers", "1", "--threads", "1", "--simulate", simulate, ...sizes];
    const cluster = await RunningCluster.start(flags, { env: { RHONE_JOB_LOCK } });
    const url = cluster.record().redisUrl;
    const redis = await openRedis({ url, name: "test", waits: false, onError: () => {} });
    return new SimulatedReplicas(cluster, redis, options);
  }

  /** Starts one more; it is ready when this resolves. */
  async add(): Promise<Replica> {
    const { simulate, sequences } = this.#options;
    const { cluster } = this;
    const secret = { RHONE_CLUSTER_SECRET_FILE: join(cluster.dataDir, "cluster-secret") };
    const own = ["--port", "0", "--ops-port", "0", "--workers", "1", "--simulated", "true"];
    const sizes = ["--max-sequences", `${sequences}`, "--sliding-window", "0"];
    const model = ["--model-path", BREEZE, "--model-name", MODEL, ...sizes];
    const env = { ...secret, REDIS_URL: cluster.record().redisUrl, RHONE_JOB_LOCK };
    const coordinator = await spawnService("coordinator", [...model, ...own], { env });
    const { grpc = "", ops = "" } = coordinator.addresses;
    const flags = ["--coordinator", grpc, "--port", "0", "--simulate", simulate];
    const worker = await spawnService("shard-worker", flags, { env: secret });
    this.#services.push(coordinator, worker);
    const replica: Replica = {
      status: () => statusAt(ops, cluster.dataDir),
      kill: async () => {
        await Promise.all([coordinator.stop("SIGKILL"), worker.stop("SIGKILL")]);
      },
    };
    while ((await replica.status()).state !== "ready") await new Promise((resolve) => setTimeout(resolve, 20));
    this.replicas.push(replica);
    return replica;
  }

  async addUpTo(count: number): Promise<void> {
    while (this.replicas.length < count) await this.add();
  }

  /** Jobs that each coordinator holds at this moment, by its id. */
  async held(): Promise<Readonly<Record<string, number>>> {
    const loads = await this.#redis.hgetall(loadsKey(MODEL));
    return Object.fromEntries(Object.entries(loads).map(([id, load]) => [id, Number(load.split(" ")[0])]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop("SIGKILL")));
    this.#redis.disconnect();
    await this.cluster.stop();
  }
}
