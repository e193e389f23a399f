import { readFileSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import { cpuQuotas, memoryRooms } from "./control-groups.js";

/**
 * Bytes that this process may still take: what the machine has left beside all programs on it (page cache counts as
 * left), and what each of its control groups has. `root` is in place of "/", for tests.
 */
export function availableMemory(root = "/"): number {
  const rooms = memoryRooms(root).map(({ limit, used }) => limit - used);
  return Math.max(0, Math.floor(Math.min(machineMemory(root), ...rooms)));
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
