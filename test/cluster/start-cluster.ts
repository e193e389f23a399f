import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ApiKeyStore,
  askOperations,
  type ClusterStatus,
  checkClusterStatus,
  newApiKey,
  openRedis,
  type WorkerStatus,
} from "@rhone/common";
import { securityOf } from "../../cli/dist/cluster/cluster-security.js";
import { stopCluster } from "../../cli/dist/cluster/stop-cluster.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import { type CommandResult, collect, type Machine, thisMachine } from "./machine.js";

const RHONE = fileURLToPath(new URL("../../rhone", import.meta.url));
const UP_DEADLINE_MS = 180_000;

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly deadlineMs?: number;
  /** Where it runs; this machine when absent. */
  readonly on?: Machine;
}

interface StartOptions extends CommandOptions {
  /** Default: a folder of its own, whose path is short. */
  readonly dataDir?: string;
}

/** Runs the launcher as a user does; kills it at the deadline. */
export function rhone(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { env, deadlineMs = UP_DEADLINE_MS, on = thisMachine } = options;
  const child = on.spawn(RHONE, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  return collect(child, deadlineMs);
}

/** The status of a coordinator that shares the secret of the data directory, or knows its `operator`. */
export async function statusAt(
  operations: string,
  dataDir: string,
  record: Pick<ClusterRecord, "operator"> = {},
): Promise<ClusterStatus> {
  const options = { security: securityOf(dataDirAt(dataDir), record), signal: AbortSignal.timeout(10_000) };
  const { body } = await askOperations(operations, "/status", options);
  return checkClusterStatus(JSON.parse(body), "The coordinator");
}

export interface ClusterAddress {
  readonly url: string;
  readonly dataDir: string;
}

interface ClusterRecord {
  readonly supervisor: { readonly name: string; readonly pid: number };
  readonly services: readonly { readonly name: string; readonly pid: number }[];
  readonly redisUrl: string;
  /** host:port of the coordinator's operations server. */
  readonly operations?: string;
  /** host:port where other machines join. */
  readonly door?: string;
  /** Folder of the identity by which commands ask its processes. */
  readonly operator?: string;
}

/** A cluster of real processes with a data directory of its own. */
export class RunningCluster implements ClusterAddress {
  readonly url: string;
  readonly dataDir: string;
  /** What `up` printed. */
  readonly output: string;

  constructor({ url, dataDir }: ClusterAddress, output = "") {
    this.url = url;
    this.dataDir = dataDir;
    this.output = output;
  }

  /** `rhone up --detach --port 0` with further flags. Throws with everything it printed when it does not come up. */
  static async start(flags: readonly string[], options: StartOptions = {}): Promise<RunningCluster> {
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "rhone-system-"));
    const args = ["up", "--detach", "--port", "0", "--data-dir", dataDir, ...flags];
    const { code, stdout, stderr } = await rhone(args, options);
    const url = /^ready (http:\S+)$/m.exec(stdout)?.[1];
    if (code === 0 && url !== undefined) return new RunningCluster({ url, dataDir }, stdout);
    await stopCluster(dataDirAt(dataDir));
    throw new Error(`rhone ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  }

  /** POST of a JSON body. */
  post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return fetch(`${this.url}${path}`, { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null });
  }

  /** As `post`, and throws unless it succeeds. */
  async ask<T>(path: string, body: unknown): Promise<T> {
    const response = await this.post(path, body);
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** What `rhone up` keeps in cluster.json, at this moment. */
  record(): ClusterRecord {
    return JSON.parse(readFileSync(join(this.dataDir, "run", "cluster.json"), "utf8")) as ClusterRecord;
  }

  /** The coordinator's own status, at this moment. */
  async status(): Promise<ClusterStatus> {
    const record = this.record();
    if (record.operations === undefined) throw new Error("no coordinator is ready");
    return statusAt(record.operations, this.dataDir, record);
  }

  /** The worker that hosts a stage, 0 the first. */
  async workerOf(stage: number): Promise<WorkerStatus> {
    const { workers } = await this.status();
    const hosts = workers.toSorted((a, b) => (a.layers?.[0] ?? Infinity) - (b.layers?.[0] ?? Infinity));
    const worker = hosts[stage];
    if (worker?.layers == null) throw new Error(`stage ${stage} has no worker`);
    return worker;
  }

  // The commands `rhone keys create` and `rhone down` do the same; each costs half a second before it begins.

  /** The secret of a new API key. */
  async createKey(name: string, limits: { readonly requestsPerMinute?: number } = {}): Promise<string> {
    const { key, secret } = newApiKey({ name, requestsPerMinute: null, tokensPerMinute: null, ...limits });
    const redis = await openRedis({ url: this.record().redisUrl, name: "test-keys", waits: false, onError: () => {} });
    await new ApiKeyStore(redis).add(key).finally(() => redis.disconnect());
    return secret;
  }

  async stop(): Promise<void> {
    await stopCluster(dataDirAt(this.dataDir));
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
