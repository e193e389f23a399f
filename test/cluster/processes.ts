import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningCluster } from "./start-cluster.js";

interface ClusterFile {
  readonly supervisor: { readonly name: string; readonly pid: number };
  readonly services: readonly { readonly name: string; readonly pid: number }[];
}

/** The process ids of a cluster by name, the supervisor's too. */
export function pidsOf({ dataDir }: RunningCluster): Readonly<Record<string, number>> {
  const file = JSON.parse(readFileSync(join(dataDir, "run", "cluster.json"), "utf8")) as ClusterFile;
  return Object.fromEntries([file.supervisor, ...file.services].map(({ name, pid }) => [name, pid]));
}

/** Resident memory of each process in MiB. Throws when one has ended. */
export function residentMiB(pids: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => {
      const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
      return [name, Math.round((pages * 4096) / 2 ** 20)];
    }),
  );
}
