import { readFileSync } from "node:fs";
import type { RunningCluster } from "./start-cluster.js";

/** The process ids of a cluster by name, the supervisor's too. */
export function pidsOf(cluster: RunningCluster): Readonly<Record<string, number>> {
  const { supervisor, services } = cluster.record();
  return Object.fromEntries([supervisor, ...services].map(({ name, pid }) => [name, pid]));
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
