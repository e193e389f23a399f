import { copyFile, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

/** A gateway writes 300 bytes for each request, and a process that warns at each of them gigabytes. */
const MOST_BYTES = 64 * 2 ** 20;
const LOOK_MS = 10_000;

/** Keeps the logs of a folder to 64 MiB each, and as much before that. Returns a function that ends it. */
export function boundLogs(folder: string): () => void {
  const timer = setInterval(() => void cutLogs(folder, MOST_BYTES).catch(() => {}), LOOK_MS).unref();
  return () => clearInterval(timer);
}

/**
 * Moves what logs of more than `mostBytes` have into NAME.log.1, in place of what it had. Their processes go on writing
 * to the same files, at their ends; a line that is written in between is lost.
 */
export async function cutLogs(folder: string, mostBytes: number): Promise<void> {
  for (const file of await readdir(folder)) {
    const path = join(folder, file);
    if (!file.endsWith(".log") || (await stat(path)).size <= mostBytes) continue;
    await copyFile(path, `${path}.1`);
    await truncate(path);
  }
}
