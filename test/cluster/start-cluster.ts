import { type ChildProcess, spawn } from "node:child_process";
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

const RHONE = fileURLToPath(new URL("../../rhone", import.meta.url));
const UP_DEADLINE_MS = 180_000;

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly deadlineMs?: number;
}

/** Runs the launcher as a user does; kills it at the deadline. */
export function rhone(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(RHONE, args, { env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.deadlineMs ?? UP_DEADLINE_MS);
  return collect(child).finally(() => clearTimeout(timer));
}

function collect(child: ChildProcess): Promise<CommandResult> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (part) => {
    stdout += part;
  });
  child.stderr?.on("data", (part) => {
    stderr += part;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** The status of a coordinator that shares the secret of the data directory. */
export async function statusAt(operations: string, dataDir: string): Promise<ClusterStatus> {
  const options = { security: securityOf(dataDirAt(dataDir)), signal: AbortSignal.timeout(10_000) };
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
}

/** A cluster of real processes with a data directory of its own. */
export class RunningCluster implements ClusterAddress {
  readonly url: string;
  readonly dataDir: string;

  constructor({ url, dataDir }: ClusterAddress) {
    this.url = url;
    this.dataDir = dataDir;
  }

  /** `rhone up --detach --port 0` with further flags. Throws with everything it printed when it does not come up. */
  static async start(flags: readonly string[], options: CommandOptions = {}): Promise<RunningCluster> {
    const dataDir = mkdtempSync(join(tmpdir(), "rhone-system-"));
    const args = ["up", "--detach", "--port", "0", "--data-dir", dataDir, ...flags];
    const { code, stdout, stderr } = await rhone(args, options);
    const url = /^ready (http:\S+)$/m.exec(stdout)?.[1];
    if (code === 0 && url !== undefined) return new RunningCluster({ url, dataDir });
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
    const { operations } = this.record();
    if (operations === undefined) throw new Error("no coordinator is ready");
    return statusAt(operations, this.dataDir);
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
  async createKey(name: string): Promise<string> {
    const { key, secret } = newApiKey({ name, requestsPerMinute: null, tokensPerMinute: null });
    const redis = await openRedis({ url: this.record().redisUrl, name: "test-keys", waits: false, onError: () => {} });
    await new ApiKeyStore(redis).add(key).finally(() => redis.disconnect());
    return secret;
  }

  async stop(): Promise<void> {
    await stopCluster(dataDirAt(this.dataDir));
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
