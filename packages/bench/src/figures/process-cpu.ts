import { readdir, readFile } from "node:fs/promises";

export interface ProcessCpu {
  readonly pid: number;
  readonly name: string;
  /** User and system time since it started. */
  readonly cpuSeconds: number;
}

/** The kernel counts CPU time in 1/100 s for its readers, whatever its own tick is (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** This process and all that descend from it; null where the system has no /proc. */
export async function cpuOfProcesses(): Promise<readonly ProcessCpu[] | null> {
  const pids = await readdir("/proc").then(
    (names) => names.filter((name) => /^\d+$/.test(name)),
    () => null,
  );
  if (pids === null) return null;
  const all = (await Promise.all(pids.map(readProcess))).flat();
  const ours = new Set([process.pid]);
  // A child has a greater number than its parent unless numbers wrapped around: repeat until nothing is added.
  for (let before = 0; before < ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({ pid }) => ours.has(pid)).map(({ pid, name, cpuSeconds }) => ({ pid, name, cpuSeconds }));
}

/** Nothing for a process that ended meanwhile. */
async function readProcess(pid: string): Promise<(ProcessCpu & { readonly parent: number })[]> {
  try {
    const [stat, cmdline] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/cmdline`, "utf8"),
    ]);
    // After the program's name, which may hold anything: state, parent, …, user time (12th), system time (13th).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    const name = nameOf(Number(pid), cmdline.split("\0"));
    return [{ pid: Number(pid), name, cpuSeconds, parent: Number(fields[1]) }];
  } catch {
    return [];
  }
}

function nameOf(pid: number, command: readonly string[]): string {
  if (pid === process.pid) return "load generator";
  const service = command.map((word) => /(?:services\/|redis\/redis-)([\w-]+)(?:\/dist\/main)?\.js$/.exec(word)?.[1]);
  const found = service.find((word) => word !== undefined);
  if (found !== undefined) return found === "host" ? "redis host" : found;
  return command[0]?.split("/").at(-1)?.split(" ")[0] ?? "";
}
