import { type ErrorCode, RhoneError } from "@rhone/common";
import type { Style } from "./style.js";

/** Exit codes of `rhone`, documented in `rhone --help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3, interrupted: 130 } as const;

export function exitCodeOf(code: ErrorCode): number {
  if (code === "INVALID_CONFIG" || code === "INVALID_REQUEST") return EXIT.usage;
  if (code === "NOT_RUNNING") return EXIT.notRunning;
  return code === "CANCELLED" ? EXIT.interrupted : EXIT.failed;
}

/** Completes a command of `rhone` that a message suggests. */
type Rhone = (args: string) => string;

const LESS_MEMORY = "Try --kv-type q8_0, a smaller --context, or a smaller model.";

/** What to try next at a terminal, for errors whose message is also read elsewhere. */
const ADVICE: Partial<Record<ErrorCode, (rhone: Rhone) => string>> = {
  PORT_IN_USE: () => "Choose another --port; with --port 0 the system chooses a free one.",
  REDIS_UNAVAILABLE: (rhone) => `Check REDIS_URL. Without it, \`${rhone("up")}\` starts a private Redis.`,
  NOT_ENOUGH_MEMORY: () => LESS_MEMORY,
  OUT_OF_MEMORY: () => LESS_MEMORY,
  INVALID_API_KEY: (rhone) => `Set RHONE_API_KEY to a secret that \`${rhone("keys create NAME")}\` has printed.`,
  NOT_RUNNING: (rhone) => `Start a cluster with: ${rhone("up")}`,
};

/** An error as a block of lines: code, message, what to do. Anything but a RhoneError is a bug and shows its stack. */
export function formatError(error: unknown, style: Style, rhone: Rhone): string {
  const { code, message, advice } = describe(error, rhone);
  const lines = [style.bold(`✗ ${code}`), ...message.split("\n").map((line) => `  ${line}`)];
  if (advice !== undefined) lines.push(`  ${advice}`);
  return lines.map(style.red).join("\n");
}

interface Description {
  readonly code: string;
  readonly message: string;
  readonly advice: string | undefined;
}

function describe(error: unknown, rhone: Rhone): Description {
  if (error instanceof RhoneError) {
    return { code: error.code, message: error.message, advice: ADVICE[error.code]?.(rhone) };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "INTERNAL", message, advice: `This is a bug in Rhone. \`${rhone("logs")}\` may show more.` };
}
