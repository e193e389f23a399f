import type { ErrorCode } from "@rhone/common";

/** The pause before a failed plan is tried again. */
const RETRY_MS = 2000;
/** The pause after a loss, so that a pipeline that breaks as soon as it is ready does not keep the process busy. */
const REBUILD_MS = 100;

/** Failures that only other workers or other settings can mend. */
const LASTING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "NOT_ENOUGH_MEMORY",
  "INVALID_CONFIG",
  "OUT_OF_MEMORY",
  "MODEL_MISMATCH",
  "MODEL_NOT_FOUND",
]);

/**
 * How many milliseconds to wait before a pipeline is brought up again, unless the membership changes first; null waits
 * for that change. `hasSpare`: others than the workers that failed make a pipeline.
 */
export function pauseAfter(
  code: ErrorCode,
  { wasReady, hasSpare }: { readonly wasReady: boolean; readonly hasSpare: boolean },
): number | null {
  // A pipeline that was ready is rebuilt at once: the engine ends the requests that break it again and again.
  if (wasReady || code === "WORKER_LOST") return REBUILD_MS;
  if (!LASTING.has(code)) return RETRY_MS;
  return hasSpare ? REBUILD_MS : null;
}
