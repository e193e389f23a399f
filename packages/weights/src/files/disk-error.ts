import { RhoneError } from "@rhone/common";

const FORBIDDEN: ReadonlySet<string> = new Set(["EROFS", "EACCES", "EPERM", "EFBIG"]);

/** The error to throw for one of writing to `path`: DISK_FULL or INVALID_CONFIG where it says why, else `cause`. */
export function diskError(cause: unknown, path: string): unknown {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (FORBIDDEN.has(code)) {
    const problem = `${path} can't be written (${message}). Let this user write there, or set --weights-dir`;
    return new RhoneError("INVALID_CONFIG", `${problem} (RHONE_WEIGHTS_DIR).`, { cause });
  }
  if (code !== "ENOSPC" && code !== "EDQUOT") return cause;
  return new RhoneError("DISK_FULL", `The disk is full: ${path} can't be written. Free some space.`, { cause });
}
