import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BreakableCluster, ClusterProcess } from "@rhone/bench";
import { readClusterRecord } from "../cluster/cluster-record.js";
import { startDetached } from "../cluster/detach.js";
import type { ProgressEvent } from "../cluster/progress.js";
import { stopCluster } from "../cluster/stop-cluster.js";
import { type DataDir, dataDirAt } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import { CLI_ENTRY } from "../processes/entry-points.js";
import { steadyPort } from "../processes/ports.js";
import { isAlive, isStopped, signalProcess, untilGone } from "../processes/process-identity.js";
import type { StopSignals } from "../processes/stop-signals.js";
import { afterDeath } from "./after-death.js";
import { RecordedCluster } from "./local-cluster.js";
import { withModelFound } from "./spawned-cluster.js";

export interface DetachedRequest {
  /** A named model is looked for in `dataDir`; the cluster gets a directory of its own. */
  readonly options: ClusterOptions;
  readonly signals: StopSignals;
  /** The JavaScript file of the supervisor. */
  readonly supervisor: string;
  readonly onProgress: (text: string) => void;
  /** Leaves the data directory, and names it. */
  readonly keeps: boolean;
}

/**
 * Runs `body` against a cluster as `rhone up --detach` starts it, in a temporary directory, and always stops it. Its
 * supervisor is a process like the others, which may be killed. Throws the error of `body`, or of the first start.
 */
export async function withDetachedCluster<T>(
  request: DetachedRequest,
  body: (cluster: BreakableCluster) => Promise<T>,
): Promise<T> {
  const { signals, keeps, onProgress } = request;
  const root = await mkdtemp(join(tmpdir(), "rhone-bench-"));
  const dataDir = dataDirAt(root);
  const cleaning = '"$1" "$2" down --data-dir "$3"; rm -rf "$3"';
  const guard = afterDeath(["sh", "-c", cleaning, "sh", process.execPath, CLI_ENTRY, root]);
  try {
    // The port is chosen here, because a supervisor that is started again shall have the one that clients know.
    const options = {
      ...(await withModelFound(request.options)),
      dataDir: root,
      port: await steadyPort({ host: "127.0.0.1", of: root }),
    };
    const cluster = await DetachedCluster.start(dataDir, { ...request, options });
    const stopped = new Promise<never>((_, reject) => {
      signals.stop.addEventListener("abort", () => reject(signals.stop.reason), { once: true });
    });
    signals.kill.addEventListener("abort", () => void cluster.killAll(), { once: true });
    return await Promise.race([body(cluster), stopped]);
  } finally {
    await stopCluster(dataDir);
    if (keeps) onProgress(`The data directory of the cluster is ${root}.`);
    else await rm(root, { recursive: true, force: true });
    guard.cancel();
  }
}

/** A supervisor that can't be started once may hold its port, or its record, for a moment. */
const REVIVALS = 3;
const GONE_MS = 10_000;

class DetachedCluster implements BreakableCluster {
  readonly url: string;
  readonly apiKey = undefined;
  readonly redisInMemory: boolean;
  readonly redisUrl: string | null;
  readonly folder: string;
  readonly network = null;
  readonly #dataDir: DataDir;
  readonly #request: DetachedRequest;
  readonly #local: RecordedCluster;

  private constructor(dataDir: DataDir, request: DetachedRequest, local: RecordedCluster) {
    this.#dataDir = dataDir;
    this.#request = request;
    this.#local = local;
    this.url = local.url;
    this.redisInMemory = local.redisInMemory;
    this.redisUrl = local.redisUrl;
    this.folder = local.folder;
  }

  /** `options` of the request: the cluster's own. */
  static async start(dataDir: DataDir, request: DetachedRequest): Promise<DetachedCluster> {
    const report = (event: ProgressEvent): void => {
      if (event.kind === "phase" && event.done) request.onProgress(`${event.phase}: ${event.text}`);
    };
    await startDetached({ ...request, ...request.signals, report });
    const local = await RecordedCluster.open(dataDir, { signal: request.signals.stop });
    return new DetachedCluster(dataDir, request, local);
  }

  processes(): Promise<readonly ClusterProcess[]> {
    return this.#local.processes();
  }

  status() {
    return this.#local.status();
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

  async revive(): Promise<void> {
    const record = await readClusterRecord(this.#dataDir);
    if (record !== null) await untilGone([record.supervisor], GONE_MS);
    for (let tries = 1; ; tries++) {
      try {
        return await startDetached({ ...this.#request, ...this.#request.signals, report: () => {} });
      } catch (error) {
        if (this.#request.signals.stop.aborted || tries === REVIVALS) throw error;
        this.#request.onProgress(`The cluster did not start again: ${(error as Error).message}`);
      }
    }
  }

  /** Does not wait for their end. */
  async killAll(): Promise<void> {
    for (const process of await this.processes()) this.signal(process, "SIGKILL");
  }
}
