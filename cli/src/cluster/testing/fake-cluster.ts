import { EventEmitter, once } from "node:events";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { readCliConfig } from "../../config.js";
import { type DataDir, dataDirAt } from "../../data-dir.js";
import type { ClusterOptions } from "../../launch/cluster-options.js";
import type { EntryPoints } from "../../processes/entry-points.js";
import { clusterStatus, workerStatus } from "../../testing/sample-status.js";
import { temporaryFolder } from "../../testing/temporary-folder.js";
import type { ProgressEvent } from "../progress.js";
import { runCluster } from "../run-cluster.js";

const FAKE = fileURLToPath(new URL("./fake-service.mjs", import.meta.url));
const ROLES = ["redisHost", "coordinator", "shardWorker", "gateway"] as const;

const loaded = { loadedBytes: 3e6, totalBytes: 3e6 };
const workers = [workerStatus("worker-0", [0, 16], loaded), workerStatus("worker-1", [16, 32], loaded)];
/** The coordinator's, in states other than its own. */
const STATUS = { ...clusterStatus(workers), model: { ...clusterStatus(workers).model, parameters: 1e6 } };

/** What shall happen to a service, by its role. */
export interface FakePlan {
  readonly fatal?: keyof EntryPoints;
  readonly dies?: keyof EntryPoints;
  readonly stubborn?: keyof EntryPoints;
  /** The coordinator's states, one per question, the last one for ever. */
  readonly states?: readonly string[];
  /** The gateway asks for API keys. */
  readonly asksForKeys?: boolean;
}

/** A cluster of fake services, run by this process in a folder of its own. */
export interface FakeCluster {
  readonly dataDir: DataDir;
  readonly events: ProgressEvent[];
  /** Settles when the cluster is over. */
  readonly over: Promise<void>;
  /** Resolves at the `ready` line; rejects when the cluster ends before. */
  readonly ready: Promise<string>;
  readonly stop: AbortController;
  readonly kill: AbortController;
  /** See `journalIn`. */
  journal(): Promise<readonly string[]>;
}

/** The fake services' files in a folder of their own, which also has their plan and their journal. */
export async function fakeServices(
  plan: FakePlan,
): Promise<{ readonly entryPoints: EntryPoints; readonly bin: string }> {
  const bin = await temporaryFolder();
  const entries = await Promise.all(
    ROLES.map(async (role) => {
      const path = join(bin, `${role}.mjs`);
      await copyFile(FAKE, path);
      return [role, path] as const;
    }),
  );
  await writeFile(join(bin, "plan.json"), JSON.stringify({ ...plan, status: STATUS }));
  return { entryPoints: Object.fromEntries(entries) as unknown as EntryPoints, bin };
}

/** "started gateway", "stopped gateway", … in the order of their happening. */
export async function journalIn(bin: string): Promise<readonly string[]> {
  return (await readFile(join(bin, "journal"), "utf8").catch(() => "")).trim().split("\n");
}

export async function startFakeCluster(plan: FakePlan = {}, asked: Partial<ClusterOptions> = {}): Promise<FakeCluster> {
  const root = asked.dataDir ?? (await temporaryFolder());
  const { entryPoints, bin } = await fakeServices(plan);
  const events: ProgressEvent[] = [];
  const stop = new AbortController();
  const kill = new AbortController();
  const watcher = new EventEmitter();
  const ready = once(watcher, "ready").then(([url]) => String(url));
  const over = runCluster({
    options: { dataDir: root, model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16", ...asked },
    config: { ...readCliConfig(root), redisUrl: undefined, searchPath: "" },
    entryPoints,
    report: (event) => {
      events.push(event);
      if (event.kind === "ready") watcher.emit("ready", event.url);
    },
    stop: stop.signal,
    kill: kill.signal,
  });
  over.catch((error) => watcher.emit("error", error));
  ready.catch(() => {});
  onTestFinished(async () => {
    stop.abort();
    kill.abort();
    await over.catch(() => {});
  });
  return { dataDir: dataDirAt(root), events, over, ready, stop, kill, journal: () => journalIn(bin) };
}
