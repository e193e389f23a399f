import { readdirSync, readFileSync } from "node:fs";

/** A process and the CPU time that it has used. */
export interface ProcessCpu {
  readonly pid: number;
  readonly parent: number;
  /** User and system time since it started. */
  readonly cpuSeconds: number;
}

/** USER_HZ: Linux reports CPU time in 1/100 s on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** The processes of `roots` and their descendants; null where the system has no /proc. */
export function processTree(roots: readonly number[]): readonly ProcessCpu[] | null {
  const all = readProcesses();
  if (all === null) return null;
  const ours = new Set(roots);
  // A child mostly has a greater number than its parent, but numbers wrap around: repeat until nothing is added.
  for (let before = -1; before !== ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({ pid }) => ours.has(pid));
}

/** The role of a process in a cluster, from its command line: "gateway", "redis host"; else the program's name. */
export function processName(pid: number): string {
  if (pid === process.pid) return "load generator";
  try {
    return nameOf(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0"));
  } catch {
    return "?"; // it has ended
  }
}

/** ["node", "services/gateway/dist/main.bundle.js"] -> "gateway"; ["redis-server 127.0.0.1:6379"] -> "redis-server". */
export function nameOf(command: readonly string[]): string {
  const entry = /(?:services\/|redis\/redis-)([\w-]+)(?:\/dist\/main)?(?:\.bundle)?\.js$/;
  const found = command.map((word) => entry.exec(word)?.[1]).find((name) => name !== undefined);
  if (found !== undefined) return found === "host" ? "redis host" : found;
  return command[0]?.split("/").at(-1)?.split(" ")[0] ?? "";
}

function readProcesses(): readonly ProcessCpu[] | null {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? readProcess(name) : []));
  } catch {
    return null;
  }
}

/** Nothing for a process that has ended. */
function readProcess(pid: string): readonly ProcessCpu[] {
  try {
    return [parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"))];
  } catch {
    return [];
  }
}

/**
 * proc(5)'s stat: field 4 is the parent, 14 and 15 are ticks in user and kernel mode; the name may hold blanks and ")".
 */
export function parseStat(stat: string): ProcessCpu {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { pid: Number.parseInt(stat, 10), parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND };
}
