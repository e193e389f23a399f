import { EventEmitter, once } from "node:events";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { readCliConfig } from "../../config.js";
import { type DataDir, dataDirAt } from "../../data-dir.js";
import type { ClusterOptions } from "../../launch/cluster-options.js";
import type { EntryPoints } from "../../processes/entry-points.js";
import { temporaryFolder } from "../../testing/temporary-folder.js";
import type { ProgressEvent } from "../progress.js";
import { runCluster } from "../run-cluster.js";

const FAKE = fileURLToPath(new URL("./fake-service.mjs", import.meta.url));
const ROLES = ["redisHost", "coordinator", "shardWorker", "gateway"] as const;

/** What shall happen to a service, by its role. */
export interface FakePlan {
  readonly fatal?: keyof EntryPoints;
  readonly dies?: keyof EntryPoints;
  readonly stubborn?: keyof EntryPoints;
  readonly states?: readonly string[];
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
  /** "started gateway", "stopped gateway", … in the order of their happening. */
  journal(): Promise<readonly string[]>;
}

export async function startFakeCluster(plan: FakePlan = {}, asked: Partial<ClusterOptions> = {}): Promise<FakeCluster> {
  const root = asked.dataDir ?? (await temporaryFolder());
  const bin = await temporaryFolder();
  const entries = await Promise.all(
    ROLES.map(async (role) => {
      const path = join(bin, `${role}.mjs`);
      await copyFile(FAKE, path);
      return [role, path] as const;
    }),
  );
  await writeFile(join(bin, "plan.json"), JSON.stringify(plan));
  const events: ProgressEvent[] = [];
  const stop = new AbortController();
  const kill = new AbortController();
  const watcher = new EventEmitter();
  const ready = once(watcher, "ready").then(([url]) => String(url));
  const over = runCluster({
    options: { dataDir: root, model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16", ...asked },
    config: { ...readCliConfig(root), redisUrl: undefined, searchPath: "" },
    entryPoints: Object.fromEntries(entries) as unknown as EntryPoints,
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
  const readJournal = async () => (await readFile(join(bin, "journal"), "utf8").catch(() => "")).trim().split("\n");
  return { dataDir: dataDirAt(root), events, over, ready, stop, kill, journal: readJournal };
}
