import { randomUUID } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { explainFullDisk } from "./disk-errors.js";

/** Ends the names of files that are being written. */
export const UNFINISHED = ".part";

export const unfinishedPath = (path: string): string => `${path}.${randomUUID()}${UNFINISHED}`;

/** Whoever reads it, and whatever crashes, finds the old text or the new one whole. Throws DISK_FULL. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = unfinishedPath(path);
  const handle = await open(draft, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    explainFullDisk(error);
  } finally {
    await handle.close();
  }
}
