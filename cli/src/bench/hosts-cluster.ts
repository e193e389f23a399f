import { randomBytes } from "node:crypto";
import { mkdirSync, openSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type BreakableCluster, type ClusterProcess, type Host, Network, REMOVE_NETWORK_ENTRY } from "@rhone/bench";
import { RhoneError } from "@rhone/common";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import { type DataDir, dataDirAt } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { CLI_ENTRY } from "../processes/entry-points.js";
import { isAlive, isStopped, signalProcess } from "../processes/process-identity.js";
import { afterDeath } from "./after-death.js";
import type { DetachedRequest } from "./detached-cluster.js";
import { flagOf } from "./flag-of.js";
import { HostsNetwork } from "./hosts-network.js";
import { KeptCommand } from "./kept-command.js";
import { RecordedCluster } from "./local-cluster.js";
import { withModelFound } from "./spawned-cluster.js";

const HTTP_PORT = 8080;
const REDIS_PORT = 6379;
/** For all to be ready, with a shard of gigabytes that comes over the wire. */
const READY_MS = 600_000;
const RETURN_MS = 180_000;
const POLL_MS = 200;

/**
 * Runs `body` against a cluster over hosts of their own: Redis on one, coordinator, gateway and the first worker on
 * another by `rhone up --listen`, and each further worker on one by `rhone join`. Their commands are started again when
 * they end. All is removed afterwards, also when this process is killed.
 */
export async function withHostsCluster<T>(
  request: DetachedRequest,
  body: (cluster: BreakableCluster) => Promise<T>,
): Promise<T> {
  const { signals, keeps, onProgress } = request;
  const options = await withModelFound(request.options);
  const workers = Array.from({ length: (options.workers ?? LEAST_WORKERS) - 1 }, (_, index) => `worker-${index + 2}`);
  const network = Network.open(["redis", "front", ...workers]);
  const guard = afterDeath([process.execPath, REMOVE_NETWORK_ENTRY, network.id]);
  const cluster = new HostsCluster(network, { ...request, options });
  try {
    await cluster.start();
    const stopped = new Promise<never>((_, reject) => {
      signals.stop.addEventListener("abort", () => reject(signals.stop.reason), { once: true });
    });
    return await Promise.race([body(cluster), stopped]);
  } finally {
    cluster.close();
    if (keeps) {
      const place = join(tmpdir(), `rhone-bench-${network.id}`);
      for (const host of Object.values<Host>(network.hosts)) host.killAll();
      renameSync(network.folder, place);
      onProgress(`The data directories of the hosts are in ${place}.`);
    }
    network.close();
    guard.cancel();
  }
}

const LEAST_WORKERS = 2;

/** A host with a supervisor. */
interface Machine {
  /** Behind the names of its processes: "-2"; "" for the first. */
  readonly suffix: string;
  readonly host: Host;
  readonly dataDir: DataDir;
}

class HostsCluster implements BreakableCluster {
  readonly url: string;
  readonly apiKey = undefined;
  readonly redisInMemory = false;
  readonly redisUrl: string;
  readonly folder: string;
  readonly network: HostsNetwork;
  readonly #request: DetachedRequest;
  readonly #redis: Host;
  readonly #machines: readonly [Machine, ...Machine[]];
  readonly #password = randomBytes(16).toString("hex");
  readonly #commands: KeptCommand[] = [];
  #recorded: RecordedCluster | null = null;

  constructor({ hosts }: Network, request: DetachedRequest) {
    this.#request = request;
    this.network = new HostsNetwork(hosts);
    const { redis, front, ...workers } = hosts;
    if (redis === undefined || front === undefined) throw new Error("no host for Redis, or none for the coordinator");
    this.#redis = redis;
    const machineOf = (host: Host, suffix: string): Machine => {
      return { suffix, host, dataDir: dataDirAt(join(host.folder, ".rhone")) };
    };
    const members = Object.entries(workers).map(([name, host]) => machineOf(host, name.replace("worker", "")));
    this.#machines = [machineOf(front, ""), ...members];
    this.redisUrl = `redis://:${this.#password}@${redis.address}:${REDIS_PORT}`;
    this.url = `http://${front.address}:${HTTP_PORT}`;
    this.folder = this.#machines[0].dataDir.root;
  }

  /** Throws with what its commands printed when they do not come up. */
  async start(): Promise<void> {
    const { onProgress, signals, options } = this.#request;
    const [front, ...members] = this.#machines;
    const commands = this.#commands;
    commands.push(new KeptCommand(() => this.#startRedis()));
    const flags = flagsOf(options, UP_FLAGS);
    const place = ["--listen", "--host", front.host.address, "--port", String(HTTP_PORT), "--auth", "off"];
    commands.push(new KeptCommand(() => this.#startRhone(front, ["up", ...place, "--workers", "1", ...flags])));
    await this.#untilReady(front, READY_MS);
    const output = readFileSync(logOf(front), "utf8");
    const [, door, token] = /\bjoin (\S+) (rhone1\.\S+)/.exec(output) ?? [];
    if (door === undefined || token === undefined) throw new RhoneError("INTERNAL", `No token: ${output}`);
    for (const member of members) {
      const name = member.host.name;
      const join = ["join", door, token, "--name", name, ...flagsOf(options, JOIN_FLAGS)];
      commands.push(new KeptCommand(() => this.#startRhone(member, join)));
    }
    this.#recorded = await RecordedCluster.open(front.dataDir, { signal: signals.stop });
    await this.#until(READY_MS, "the workers of all hosts are not in the pipeline", async () => {
      const [status] = await this.status().catch(() => []);
      const staged = status?.workers.filter(({ layers }) => layers !== null) ?? [];
      return status?.state === "ready" && staged.length === this.#machines.length;
    });
    onProgress(`hosts: Redis, the coordinator with the gateway and a worker, and ${members.length} with a worker each`);
  }

  async processes(): Promise<readonly ClusterProcess[]> {
    const redis = this.#commands[0]?.identity;
    const server = redis == null ? [] : [{ name: "redis-server", ...redis }];
    const ofMachines = await Promise.all(this.#machines.map(processesOf));
    return [...ofMachines.flat(), ...server];
  }

  isAlive(process: ClusterProcess): boolean {
    return isAlive(process);
  }

  isStopped(process: ClusterProcess): boolean {
    return isStopped(process);
  }

  signal(process: ClusterProcess, signal: NodeJS.Signals): boolean {
    return signalProcess(process, signal);
  }

  async status() {
    return this.#recorded?.status() ?? [];
  }

  async revive(supervisor: string): Promise<void> {
    const machine = this.#machines.find(({ suffix }) => supervisor === `supervisor${suffix}`);
    if (machine !== undefined) await this.#untilReady(machine, RETURN_MS);
  }

  /** Nothing is started again. */
  close(): void {
    for (const command of this.#commands) command.close();
  }

  #startRedis() {
    const data = join(this.#redis.folder, "redis");
    mkdirSync(data, { recursive: true });
    const settings = { port: REDIS_PORT, bind: "0.0.0.0", requirepass: this.#password, dir: data, save: "" };
    const durable = { appendonly: "yes", appendfsync: "everysec", "maxmemory-policy": "noeviction" };
    const args = Object.entries({ ...settings, ...durable }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return this.#redis.spawn("redis-server", args, { stdio: "ignore" });
  }

  #startRhone(machine: Machine, args: readonly string[]) {
    const log = openSync(logOf(machine), "a");
    const env = { ...process.env, REDIS_URL: machine.suffix === "" ? this.redisUrl : undefined };
    const command = [CLI_ENTRY, ...args, "--data-dir", machine.dataDir.root];
    return machine.host.spawn(process.execPath, command, { env, stdio: ["ignore", log, log] });
  }

  /** Its supervisor has written that all is ready. */
  #untilReady(machine: Machine, withinMs: number): Promise<void> {
    return this.#until(withinMs, `${machine.host.name} is not ready`, async () => {
      const record = await readClusterRecord(machine.dataDir);
      return record?.state === "ready" && isAlive(record.supervisor);
    });
  }

  async #until(withinMs: number, problem: string, isSo: () => Promise<boolean>): Promise<void> {
    const { stop: signal } = this.#request.signals;
    const deadline = performance.now() + withinMs;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new RhoneError("NOT_RUNNING", `${problem}: ${this.#lastLines()}`);
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  #lastLines(): string {
    const tails = this.#machines.map((machine) => `${machine.host.name}: ${readFileSync(logOf(machine), "utf8")}`);
    return tails.map((text) => text.slice(-TAIL)).join("\n");
  }
}

/** Characters of a log. */
const TAIL = 1000;

const logOf = ({ host }: Machine): string => join(host.folder, "rhone.log");

/** The processes in the machine's record that still run, each named with the machine's suffix. */
async function processesOf({ dataDir, suffix }: Machine): Promise<readonly ClusterProcess[]> {
  const record = await readClusterRecord(dataDir);
  if (record === null || !isAlive(record.supervisor)) return [];
  return aliveProcesses(record).map(({ name, ...identity }) => ({ name: `${name}${suffix}`, ...identity }));
}

const UP_FLAGS = [
  "model",
  "threads",
  "memory",
  "kvType",
  "slidingWindow",
  "context",
  "targetItl",
  "speculate",
  "maxSequences",
  "maxRows",
  "activationType",
  "device",
  "kernels",
] as const satisfies readonly (keyof ClusterOptions)[];
const JOIN_FLAGS = ["threads", "memory", "device", "kernels"] as const satisfies readonly (keyof ClusterOptions)[];

/** kvType -> --kv-type, where it is given. */
const flagsOf = (options: ClusterOptions, names: readonly (keyof ClusterOptions)[]): readonly string[] =>
  names.flatMap((name) => (options[name] === undefined ? [] : [flagOf(name), String(options[name])]));
