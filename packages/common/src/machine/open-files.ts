import { readFileSync } from "node:fs";

/**
 * How many files and sockets this process may have open; infinite where the system does not say. Node has raised the
 * soft limit to the hard one when it started.
 */
export function mostOpenFiles(path = "/proc/self/limits"): number {
  try {
    return Number(/^Max open files +(\d+) /m.exec(readFileSync(path, "utf8"))?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
