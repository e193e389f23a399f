import koffi from "koffi";

let trim: ((keptBytes: number) => number) | undefined;

/**
 * Gives what native code freed back to the system (glibc's `malloc_trim`), which keeps it in its arenas otherwise: 9 of
 * a worker's 168 MB after 16 samples with all log-probabilities. Does nothing where the C library has no such function.
 */
export function trimMemory(): void {
  trim ??= findTrim();
  trim(0);
}

function findTrim(): (keptBytes: number) => number {
  if (process.platform !== "linux") return () => 0;
  try {
    return koffi.load(null).func("malloc_trim", "int", ["size_t"]) as unknown as (keptBytes: number) => number;
  } catch {
    return () => 0;
  }
}
