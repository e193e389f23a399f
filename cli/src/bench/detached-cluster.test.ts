import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BreakableCluster } from "@rhone/bench";
import { RhoneError } from "@rhone/common";
import { expect, test } from "vitest";
import { readClusterRecord } from "../cluster/cluster-record.js";
import { dataDirAt } from "../data-dir.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { withDetachedCluster } from "./detached-cluster.js";

const built = (path: string): string => fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));

/** A supervisor without services, which claims its data directory as a real one does. */
const SUPERVISOR = `
const { ClusterClaim } = await import(${JSON.stringify(built("cluster/cluster-record.js"))});
const { dataDirAt } = await import(${JSON.stringify(built("data-dir.js"))});
const { dataDir, port } = JSON.parse(process.argv[2]);
const url = "http://127.0.0.1:" + port;
const claim = await ClusterClaim.take(dataDirAt(dataDir), { url, model: dataDir, inMemory: true }, async () => {});
process.on("SIGTERM", () => claim.release().then(() => process.exit(0)));
await claim.update({ state: "ready" });
process.send({ kind: "ready", url });
setInterval(() => {}, 1000);
`;

async function withCluster<T>(
  body: (cluster: BreakableCluster) => Promise<T>,
  stop = new AbortController(),
  keeps = false,
) {
  const home = await temporaryFolder();
  const supervisor = join(home, "supervisor.mjs");
  await writeFile(supervisor, SUPERVISOR);
  const options = { dataDir: home, model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16" } as const;
  const signals = { stop: stop.signal, kill: new AbortController().signal };
  const progress: string[] = [];
  const onProgress = (text: string): void => void progress.push(text);
  const done = withDetachedCluster({ options, signals, supervisor, keeps, onProgress }, body);
  return { done, progress };
}

const supervisorOf = async (cluster: BreakableCluster) => {
  const found = (await cluster.processes()).find(({ name }) => name === "supervisor");
  if (found === undefined) throw new Error("there is no supervisor");
  return found;
};

test("a killed supervisor is started again at the same address, and stopped at the end", async () => {
  const { done } = await withCluster(async (cluster) => {
    const first = await supervisorOf(cluster);
    expect(cluster.signal(first, "SIGKILL")).toBe(true);
    await cluster.revive("supervisor");
    const second = await supervisorOf(cluster);
    expect([second.pid === first.pid, cluster.isAlive(first), cluster.isAlive(second)]).toEqual([false, false, true]);
    expect(cluster.signal(first, "SIGCONT")).toBe(false);
    expect(cluster.redisInMemory).toBe(true);
    return { cluster, second };
  });
  const { cluster, second } = await done;
  expect([cluster.isAlive(second), await cluster.processes()]).toEqual([false, []]);
});

test("nothing is left after an interrupt, though the supervisor was stopped", async () => {
  const stop = new AbortController();
  let seen: BreakableCluster | undefined;
  const { done } = await withCluster(async (cluster) => {
    seen = cluster;
    cluster.signal(await supervisorOf(cluster), "SIGSTOP");
    stop.abort(new RhoneError("CANCELLED", "Interrupted."));
    return new Promise(() => {});
  }, stop);
  await expect(done).rejects.toMatchObject({ code: "CANCELLED" });
  expect(await seen?.processes()).toEqual([]);
});

test("the data directory is kept and named where that is asked for", async () => {
  const { done, progress } = await withCluster(async () => {}, new AbortController(), true);
  await done;
  const kept = /^The data directory of the cluster is (.+)\.$/.exec(progress.at(-1) ?? "")?.[1] ?? "";
  expect(existsSync(join(kept, "logs"))).toBe(true);
  expect(await readClusterRecord(dataDirAt(kept))).toBeNull();
  await rm(kept, { recursive: true });
});
