import { readFileSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import { cpuQuotas, memoryRooms } from "./control-groups.js";

export interface AvailableMemory {
  readonly bytes: number;
  /** The control group that allows no more, and the bytes of its limit; null: the machine has no more. */
  readonly group: { readonly path: string; readonly limit: number } | null;
}

/**
 * What this process may still take: the least of what the machine has left beside all programs on it (page cache counts
 * as left), and of what each of its control groups has. `root` is in place of "/", for tests.
 */
export function availableMemory(root = "/"): AvailableMemory {
  let least: AvailableMemory = { bytes: machineMemory(root), group: null };
  for (const { path, limit, used } of memoryRooms(root)) {
    if (limit - used < least.bytes) least = { bytes: limit - used, group: { path, limit } };
  }
  return { ...least, bytes: Math.max(0, Math.floor(least.bytes)) };
}

function machineMemory(root: string): number {
  // Elsewhere than on Linux.
  const other = (): number => process.availableMemory?.() ?? freemem();
  try {
    const kilobytes = /^MemAvailable: +(\d+) kB$/m.exec(readFileSync(join(root, "proc/meminfo"), "utf8"))?.[1];
    return kilobytes === undefined ? other() : 1024 * Number(kilobytes);
  } catch {
    return other();
  }
}

/** Processors that this process may keep busy: whole ones of its control groups' time, and one at least. */
export function availableCores(root = "/"): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), ...cpuQuotas(root))));
}
