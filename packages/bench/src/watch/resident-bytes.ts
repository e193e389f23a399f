import { readFileSync } from "node:fs";

/** What the kernel counts memory in; 4 KiB wherever Node's Linux builds run, except some arm64 kernels. */
const PAGE_BYTES = 4096;

/** Resident bytes of a process; null for one that has ended, and where the system has no /proc. */
export function residentBytes(pid: number): number | null {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
  } catch {
    return null;
  }
}
