import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import { resolveModel } from "@rhone/model";
import type { ProgressEvent } from "../cluster/progress.js";
import { runCluster } from "../cluster/run-cluster.js";
import { type CliConfig, commandWriter } from "../config.js";
import { type DataDir, dataDirAt } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { EntryPoints } from "../processes/entry-points.js";
import type { StopSignals } from "../processes/stop-signals.js";

export interface SpawnRequest {
  /** A named model is looked for in `dataDir`; the cluster gets a directory of its own. */
  readonly options: ClusterOptions;
  readonly config: CliConfig;
  readonly entryPoints: EntryPoints;
  readonly signals: StopSignals;
  readonly onProgress: (text: string) => void;
}

/**
 * Runs `body` against a cluster that is started for it in a temporary directory and always stopped. Throws the error of
 * `body`, or of the cluster.
 */
export async function withSpawnedCluster<T>(
  request: SpawnRequest,
  body: (url: string, dataDir: DataDir) => Promise<T>,
): Promise<T> {
  const { config, entryPoints, signals, onProgress } = request;
  const root = await mkdtemp(join(tmpdir(), "rhone-bench-"));
  const over = new AbortController();
  try {
    const options = { ...(await withModelFound(request.options)), dataDir: root };
    let isReady: (url: string) => void = () => {};
    const ready = new Promise<string>((resolve) => {
      isReady = resolve;
    });
    const report = (event: ProgressEvent): void => {
      if (event.kind === "ready") isReady(event.url);
      else if (event.kind === "phase" && event.done) onProgress(`${event.phase}: ${event.text}`);
    };
    const stop = AbortSignal.any([signals.stop, over.signal]);
    const running = runCluster({ options, config, entryPoints, report, stop, kill: signals.kill });
    const ended = running.then(() => {
      throw new RhoneError("CANCELLED", "The cluster was stopped during the measurement.");
    });
    try {
      return await Promise.race([ready.then((url) => body(url, dataDirAt(root))), ended]);
    } finally {
      over.abort();
      await running.catch(() => {});
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Replaces a name of the catalogue by its file and the sliding window that the catalogue gives it. */
export async function withModelFound(options: ClusterOptions): Promise<ClusterOptions> {
  const { models: modelsDir, root } = dataDirAt(options.dataDir);
  const { path, entry } = await resolveModel(options.model, { modelsDir, rhone: commandWriter(root) });
  const slidingWindow = options.slidingWindow ?? entry?.slidingWindow;
  return { ...options, model: path, ...(slidingWindow !== undefined && { slidingWindow }) };
}
