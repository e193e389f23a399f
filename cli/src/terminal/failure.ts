import { type ErrorCode, RhoneError } from "@rhone/common";
import type { Style } from "./style.js";

/** Exit codes of `rhone`, documented in `rhone --help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3, interrupted: 130 } as const;

export function exitCodeOf(code: ErrorCode): number {
  if (code === "INVALID_CONFIG" || code === "INVALID_REQUEST") return EXIT.usage;
  if (code === "NOT_RUNNING") return EXIT.notRunning;
  return code === "CANCELLED" ? EXIT.interrupted : EXIT.failed;
}

/** What to try next at a terminal, for errors whose message is also read elsewhere. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  PORT_IN_USE: "For example: rhone up --port 8081",
  REDIS_UNAVAILABLE: "Check REDIS_URL. Without it, `rhone up` starts a private Redis.",
  NOT_ENOUGH_MEMORY: "Try --kv-type q8_0, a smaller --context, or a smaller model.",
  OUT_OF_MEMORY: "Try --kv-type q8_0, a smaller --context, or a smaller model.",
  INVALID_API_KEY: "Set RHONE_API_KEY to a secret that `rhone keys create NAME` has printed.",
  NOT_RUNNING: "Start a cluster with: rhone up",
};

/** An error as a block of lines: code, message, what to do. Anything but a RhoneError is a bug and shows its stack. */
export function formatError(error: unknown, style: Style): string {
  const { code, message, advice } = describe(error);
  const lines = [style.bold(`✗ ${code}`), ...message.split("\n").map((line) => `  ${line}`)];
  if (advice !== undefined) lines.push(`  ${advice}`);
  return lines.map(style.red).join("\n");
}

function describe(error: unknown): { readonly code: string; readonly message: string; readonly advice?: string } {
  if (error instanceof RhoneError) {
    const advice = ADVICE[error.code];
    return { code: error.code, message: error.message, ...(advice === undefined ? {} : { advice }) };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "INTERNAL", message, advice: "This is a bug in Rhone. `rhone logs` may show more." };
}
