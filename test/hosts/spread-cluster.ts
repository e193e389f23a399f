import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ClusterStatus, checkClusterStatus } from "@rhone/common";
import { vi } from "vitest";
import { spawnService } from "../cluster/spawn-service.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import type { Host } from "./host.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const PASSWORD = "of-this-test";
/** Each host has all ports to itself. */
const PORTS = { redis: 6379, coordinator: 7100, coordinatorOps: 7101, worker: 7200, workerOps: 7201, gateway: 8080 };
const EVERYWHERE = "0.0.0.0";
/** The network is private: nobody else is in its namespaces. */
const PLAINTEXT = { RHONE_ALLOW_PLAINTEXT: "true" };

export interface SpreadOptions {
  /** Has Redis, the coordinator and the gateway. */
  readonly front: Host;
  /** Each has one worker. */
  readonly workers: readonly Host[];
  /** Stages; the other workers are spares. */
  readonly stages: number;
}

/** A cluster of simulated workers over several hosts. It ends with its network. */
export class SpreadCluster {
  /** For requests; it has no data directory. */
  readonly cluster: RunningCluster;
  readonly #front: Host;

  private constructor(front: Host) {
    this.#front = front;
    this.cluster = new RunningCluster({ url: `http://${front.address}:${PORTS.gateway}`, dataDir: front.folder });
  }

  /** Starts all processes, and waits until the pipeline is ready. */
  static async start({ front, workers, stages }: SpreadOptions): Promise<SpreadCluster> {
    const redisUrl = await startRedis(front);
    const model = ["--model-path", BREEZE, "--model-name", "breeze"];
    const env = { ...PLAINTEXT, REDIS_URL: redisUrl };
    const open = ["--host", EVERYWHERE];
    const coordinator = ["--advertise-host", front.name, "--workers", String(stages), "--simulated", "true"];
    const storage = ["--storage", join(front.folder, "storage"), "--auth", "off"];
    const spread = new SpreadCluster(front);
    await Promise.all([
      spawnService("coordinator", [...model, ...open, ...coordinator], env, front),
      spawnService("gateway", [...model, ...open, ...storage], env, front),
      ...workers.map((host) => spread.startWorker(host)),
    ]);
    await vi.waitUntil(() => spread.takesRequests(), { timeout: 30_000, interval: 50 });
    return spread;
  }

  async startWorker(host: Host): Promise<void> {
    const ports = ["--port", String(PORTS.worker), "--ops-port", String(PORTS.workerOps)];
    const place = ["--coordinator", `${this.#front.name}:${PORTS.coordinator}`, "--host", EVERYWHERE];
    const flags = [...place, "--advertise-host", host.name, ...ports, "--simulate", "stage-ms=10"];
    await spawnService("shard-worker", flags, PLAINTEXT, host);
  }

  /** The coordinator's own status. Throws while nobody answers. */
  async status(): Promise<ClusterStatus> {
    const answer = await fetch(`http://${this.#front.address}:${PORTS.coordinatorOps}/status`);
    return checkClusterStatus(await answer.json(), "The coordinator");
  }

  /** The same, asked by its own host, which needs no cable. */
  async statusAtHome(): Promise<ClusterStatus> {
    const url = `http://127.0.0.1:${PORTS.coordinatorOps}/status`;
    const code = `fetch("${url}").then((answer) => answer.text()).then((text) => process.stdout.write(text))`;
    const { stdout } = await this.#front.run(process.execPath, ["-e", code]);
    return checkClusterStatus(JSON.parse(stdout), "The coordinator");
  }

  /** Whether the gateway knows of a pipeline that is ready. */
  async takesRequests(): Promise<boolean> {
    return (await fetch(`${this.cluster.url}/ready`)).ok;
  }

  /** The host of each stage, by the names that workers say, the first stage first. */
  async stageHosts(): Promise<readonly string[]> {
    const { workers } = await this.status();
    const holding = workers.filter(({ layers }) => layers !== null);
    return holding.toSorted((a, b) => (a.layers?.[0] ?? 0) - (b.layers?.[0] ?? 0)).map(({ hostname }) => hostname);
  }
}

/** On the host's loopback, for its coordinator and its gateway alone. A URL with the password. */
async function startRedis(host: Host): Promise<string> {
  const folders = { "data-folder": join(host.folder, "redis"), "run-folder": join(host.folder, "run") };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const program = spawnSync("redis-server", ["--version"]).status === 0 ? { binary: "redis-server" } : {};
  const flags = Object.entries({ ...folders, ...program, host: "127.0.0.1", port: PORTS.redis });
  const args = flags.flatMap(([name, value]) => [`--${name}`, String(value)]);
  await spawnService("redis", args, { RHONE_REDIS_PASSWORD: PASSWORD }, host);
  return `redis://:${PASSWORD}@127.0.0.1:${PORTS.redis}`;
}
