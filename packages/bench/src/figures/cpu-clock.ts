import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Processor seconds up to a moment. */
export interface CpuTime {
  /** On the performance clock, milliseconds. */
  readonly at: number;
  /** Of everything on this machine. */
  readonly machine: number;
  /** Of the processes that are measured, the bench included. */
  readonly measured: number;
}

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly seconds: number;
}

/** Linux' USER_HZ, the same on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Tells the processor time of some processes and their descendants from that of everybody else on the machine. */
export class CpuClock {
  readonly #roots: readonly number[];

  constructor(roots: readonly number[]) {
    this.#roots = roots;
  }

  /** null where there is no /proc. */
  read(): CpuTime | null {
    const stats = readStats();
    if (stats === null) return null;
    const ours = new Set(this.#roots);
    // Parents are mostly older than their children, but numbers may wrap around.
    for (let before = -1; before !== ours.size; ) {
      before = ours.size;
      for (const { pid, parent } of stats) if (ours.has(parent)) ours.add(pid);
    }
    const measured = stats.reduce((sum, { pid, seconds }) => (ours.has(pid) ? sum + seconds : sum), 0);
    return { at: performance.now(), machine: machineSeconds(), measured };
  }
}

/** Cores that others took between two moments; 0 when the machine did nothing else. null where it is not known. */
export function otherCores(from: CpuTime | null, to: CpuTime | null): number | null {
  if (from === null || to === null || to.at <= from.at) return null;
  const others = to.machine - from.machine - (to.measured - from.measured);
  return Math.max(0, (others * 1000) / (to.at - from.at));
}

function readStats(): readonly ProcessStat[] | null {
  try {
    return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? readStat(name) : []));
  } catch {
    return null;
  }
}

/** Field 4 of proc(5)'s stat is the parent; 14 and 15 are ticks in user and kernel mode. The name may hold blanks. */
function readStat(pid: string): readonly ProcessStat[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return [{ pid: Number(pid), parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND }];
  } catch {
    return []; // it has ended
  }
}

function machineSeconds(): number {
  const all = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return all.reduce((sum, ms) => sum + ms, 0) / 1000;
}
