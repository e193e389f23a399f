import type { ErrorCode } from "@rhone/common";

/** How `rhone` ends. Documented in `rhone --help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3, interrupted: 130 } as const;

export function exitCodeOf(code: ErrorCode): number {
  if (code === "INVALID_CONFIG" || code === "INVALID_REQUEST") return EXIT.usage;
  if (code === "NOT_RUNNING") return EXIT.notRunning;
  return code === "CANCELLED" ? EXIT.interrupted : EXIT.failed;
}
