import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { RhoneError } from "@rhone/common";

/** The suffix of files that are being written. */
export const UNFINISHED = ".part";

export const unfinishedPath = (path: string): string => `${path}.${randomUUID()}${UNFINISHED}`;

/** Replaces a file atomically: after a crash it has the old text or the new one, whole. Throws DISK_FULL. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = unfinishedPath(path);
  const handle = await open(unfinished, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    explainFullDisk(error);
  } finally {
    await handle.close();
  }
}

export function explainFullDisk(error: unknown): never {
  if (codeOf(error) !== "ENOSPC") throw error;
  throw new RhoneError("DISK_FULL", "The gateway's disk is full; delete files that are no longer needed.", {
    cause: error,
  });
}

/** null when there is no such file. */
export function nothingThere(error: unknown): null {
  if (codeOf(error) === "ENOENT") return null;
  throw error;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
