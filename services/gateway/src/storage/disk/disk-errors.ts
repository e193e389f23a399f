import { RhoneError } from "@rhone/common";

export function explainFullDisk(error: unknown): never {
  if (codeOf(error) !== "ENOSPC") throw error;
  throw new RhoneError("DISK_FULL", "The gateway's storage is full; delete files that are no longer needed.", {
    cause: error,
  });
}

/** null where there is no such file. */
export function nothingThere(error: unknown): null {
  if (codeOf(error) === "ENOENT") return null;
  throw error;
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
