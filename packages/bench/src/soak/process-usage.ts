import { readdirSync, readFileSync } from "node:fs";
import { parseStat } from "../figures/process-tree.js";

/** What a process holds, and the processor time that it has used. */
export interface ProcessUsage {
  readonly residentBytes: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly cpuSeconds: number;
}

/** null for one that has ended, and where the system has no /proc. */
export function usageOf(pid: number): ProcessUsage | null {
  try {
    const { cpuSeconds } = parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return { ...parseStatus(status), descriptors: readdirSync(`/proc/${pid}/fd`).length, cpuSeconds };
  } catch {
    return null;
  }
}

/** proc(5)'s status: "VmRSS:	  1024 kB", "Threads:	12". */
export function parseStatus(status: string): Pick<ProcessUsage, "residentBytes" | "threads"> {
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return { residentBytes: 1024 * field("VmRSS"), threads: field("Threads") };
}
