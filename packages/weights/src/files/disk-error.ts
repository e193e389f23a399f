import { RhoneError } from "@rhone/common";

/** The error to throw for one of writing to `path`: DISK_FULL where that is why, else `cause` as it is. */
export function diskError(cause: unknown, path: string): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code !== "ENOSPC" && code !== "EDQUOT") return cause;
  return new RhoneError("DISK_FULL", `The disk is full: ${path} can't be written. Free some space.`, { cause });
}
