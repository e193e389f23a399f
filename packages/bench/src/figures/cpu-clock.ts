import { cpus } from "node:os";
import { processTree } from "./process-tree.js";

/** Processor seconds up to a moment. */
export interface CpuTime {
  /** On the performance clock, milliseconds. */
  readonly at: number;
  /** Of all processes on this machine. */
  readonly machine: number;
  /** Of the processes under measurement, the bench included. */
  readonly measured: number;
}

/** Separates the CPU time of some processes and their descendants from the rest of the machine. */
export class CpuClock {
  readonly #roots: readonly number[];

  constructor(roots: readonly number[]) {
    this.#roots = roots;
  }

  /** null where the system has no /proc. */
  read(): CpuTime | null {
    const processes = processTree(this.#roots);
    if (processes === null) return null;
    const measured = processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
    return { at: performance.now(), machine: machineSeconds(), measured };
  }
}

/** Cores that other processes used between two readings, 0 on a quiet machine; null where it can't be told. */
export function otherCores(from: CpuTime | null, to: CpuTime | null): number | null {
  if (from === null || to === null || to.at <= from.at) return null;
  const others = to.machine - from.machine - (to.measured - from.measured);
  return Math.max(0, (others * 1000) / (to.at - from.at));
}

function machineSeconds(): number {
  const all = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return all.reduce((sum, ms) => sum + ms, 0) / 1000;
}
