import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Host } from "@rhone/bench";
import { askOperations, type ClusterStatus, checkClusterStatus, openSecurity, type Security } from "@rhone/common";
import { vi } from "vitest";
import { TestAuthority, type TestLeaf } from "../../packages/common/src/testing/test-authority.js";
import { type SpawnedService, spawnService } from "../cluster/spawn-service.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const PASSWORD = "of-this-test";
/** Each host has all ports to itself. */
const PORTS = { redis: 6379, coordinator: 7100, coordinatorOps: 7101, worker: 7200, workerOps: 7201, gateway: 8080 };
const EVERYWHERE = "0.0.0.0";
const ANSWER_WITHIN_MS = 2000;

export interface SpreadOptions {
  /** Has Redis, the gateway and, unless there are replicas, the coordinator. */
  readonly front: Host;
  /** Each has one worker. */
  readonly workers: readonly Host[];
  /** Stages; the other workers are spares. */
  readonly stages: number;
  /** Each has a coordinator and the one worker of its pipeline. */
  readonly replicas?: readonly Host[];
  /** Has the coordinator and the worker of a second model, `SECOND`. */
  readonly second?: Host;
}

const FIRST = "breeze";
/** The same file under another name. */
export const SECOND = "twin";

/** A cluster of simulated workers over several hosts, with a certificate for each process. */
export class SpreadCluster {
  /** For requests; it has no data directory. */
  readonly cluster: RunningCluster;
  readonly #front: Host;
  readonly #authority = new TestAuthority();
  readonly #operator: Security;
  #coordinatorLog: readonly string[] = [];
  #redis: NodeJS.ProcessEnv = {};

  private constructor(front: Host) {
    this.#front = front;
    this.#operator = openSecurity(this.#authority.issue({ role: "operator", name: "test" }));
    this.cluster = new RunningCluster({ url: `http://${front.address}:${PORTS.gateway}`, dataDir: front.folder });
  }

  /** Starts all processes, and waits until the pipeline is ready. */
  static async start(options: SpreadOptions): Promise<SpreadCluster> {
    const spread = new SpreadCluster(options.front);
    await spread.#start(options);
    return spread;
  }

  async #start({ front, workers, stages, replicas = [], second }: SpreadOptions): Promise<void> {
    this.#redis = { REDIS_URL: await startRedis(front) };
    const further = second === undefined ? [] : ["--models", JSON.stringify([{ path: BREEZE, name: SECOND }])];
    const storage = ["--storage", join(front.folder, "storage"), "--auth", "off"];
    const gateway = [...modelFlags(FIRST), ...further, ...storage];
    const [first] = await Promise.all([
      replicas.length === 0 ? this.#startCoordinator(front, FIRST, stages) : undefined,
      spawnService("gateway", gateway, { env: this.#redis, on: front }),
      ...workers.map((host) => this.startWorker(host)),
      ...replicas.map((host) => this.startReplica(host)),
      second && this.startSecond(second),
    ]);
    this.#coordinatorLog = first?.log ?? [];
    for (const model of second === undefined ? [FIRST] : [FIRST, SECOND]) {
      await vi.waitUntil(() => this.takesRequests(model), { timeout: 30_000, interval: 50 });
    }
  }

  #startCoordinator(host: Host, model: string, stages: number): Promise<SpawnedService> {
    const flags = ["--advertise-host", host.name, "--workers", String(stages), "--simulated", "true"];
    const identity = this.#identity({ role: "coordinator", name: host.name });
    return spawnService("coordinator", [...modelFlags(model), ...flags], {
      env: { ...identity, ...this.#redis },
      on: host,
    });
  }

  /** A coordinator of the first model, and its worker. */
  async startReplica(host: Host): Promise<void> {
    await Promise.all([this.#startCoordinator(host, FIRST, 1), this.startWorker(host, host)]);
  }

  /** The coordinator and the worker of the second model. */
  async startSecond(host: Host): Promise<void> {
    await Promise.all([this.#startCoordinator(host, SECOND, 1), this.startWorker(host, host)]);
  }

  /** The worker has its host's name. */
  startWorker(host: Host, coordinator = this.#front): Promise<SpawnedService> {
    const ports = ["--port", String(PORTS.worker), "--ops-port", String(PORTS.workerOps)];
    const place = ["--coordinator", `${coordinator.name}:${PORTS.coordinator}`, "--host", EVERYWHERE];
    const flags = [...place, "--advertise-host", host.name, ...ports, "--simulate", "stage-ms=10"];
    const env = this.#identity({ role: "worker", name: host.name });
    return spawnService("shard-worker", flags, { env, on: host });
  }

  /** The own status of a host's coordinator. Throws while nobody answers. */
  async status(of = this.#front): Promise<ClusterStatus> {
    const address = `${of.address}:${PORTS.coordinatorOps}`;
    const options = { security: this.#operator, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
    return checkClusterStatus(JSON.parse((await askOperations(address, "/status", options)).body), "The coordinator");
  }

  /** How many workers the coordinator has lost since it started, by its log, which can be read without a network. */
  get losses(): number {
    return this.#coordinatorLog.filter((line) => line.includes('"worker lost"')).length;
  }

  /** Whether the gateway knows of a pipeline of the model that is ready. */
  async takesRequests(model = FIRST): Promise<boolean> {
    return (await fetch(`${this.cluster.url}/ready?model=${model}`)).ok;
  }

  /** The workers that hold layers, the first stage's first. */
  async stages(): Promise<readonly string[]> {
    const { workers } = await this.status();
    const holding = workers.filter(({ layers }) => layers !== null);
    return holding.toSorted((a, b) => (a.layers?.[0] ?? 0) - (b.layers?.[0] ?? 0)).map(({ worker }) => worker);
  }

  /** Removes the certificates; the processes end with their network. */
  close(): void {
    this.#operator.close();
    this.#authority.close();
  }

  #identity(leaf: TestLeaf): NodeJS.ProcessEnv {
    const { tlsCa, tlsCert, tlsKey } = this.#authority.issue(leaf);
    return { RHONE_TLS_CA: tlsCa, RHONE_TLS_CERT: tlsCert, RHONE_TLS_KEY: tlsKey };
  }
}

const modelFlags = (name: string): readonly string[] => [
  ...["--model-path", BREEZE, "--model-name", name],
  ...["--host", EVERYWHERE],
];

/** At every address of the host, as one that several machines use. A URL with the password. */
async function startRedis(host: Host): Promise<string> {
  const folders = { "data-folder": join(host.folder, "redis"), "run-folder": join(host.folder, "run") };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  const program = spawnSync("redis-server", ["--version"]).status === 0 ? { binary: "redis-server" } : {};
  const flags = Object.entries({ ...folders, ...program, host: EVERYWHERE, port: PORTS.redis });
  const args = flags.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const passwordFile = join(host.folder, "redis-password");
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  await spawnService("redis", args, { env: { RHONE_REDIS_PASSWORD_FILE: passwordFile }, on: host });
  return `redis://:${PASSWORD}@${host.address}:${PORTS.redis}`;
}
