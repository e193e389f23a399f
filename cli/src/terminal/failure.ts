import { type ErrorCode, RhoneError } from "@rhone/common";
import type { Style } from "./style.js";

/** Exit codes of `rhone`, documented in `rhone --help`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notRunning: 3, someFailed: 4, interrupted: 130 } as const;

export function exitCodeOf(code: ErrorCode): number {
  if (code === "INVALID_CONFIG" || code === "INVALID_REQUEST") return EXIT.usage;
  if (code === "NOT_RUNNING") return EXIT.notRunning;
  if (code === "BATCH_LINES_FAILED") return EXIT.someFailed;
  return code === "CANCELLED" ? EXIT.interrupted : EXIT.failed;
}

/** The command that failed, as advice needs it. */
export interface FailedCommand {
  /** Completes a command of `rhone` that a message suggests. */
  readonly rhone: (args: string) => string;
  /** Its name: "leave". */
  readonly name?: string | undefined;
  /** --url, if given: the cluster is then somebody else's to start. */
  readonly url?: string | undefined;
}

/** What to try next at a terminal, for errors whose message is also read elsewhere. */
const ADVICE: Partial<Record<ErrorCode, (failed: FailedCommand, error: RhoneError) => string>> = {
  PORT_IN_USE: () => "With --port 0 the system chooses a free one.",
  REDIS_UNAVAILABLE: ({ rhone }) =>
    `Check REDIS_URL or --redis-url. Without them, \`${rhone("up")}\` starts a private Redis.`,
  OUT_OF_MEMORY: () => "Try --kv-type q8_0, a smaller --context, or a smaller model.",
  INVALID_API_KEY: ({ rhone }) => `Set RHONE_API_KEY to a secret that \`${rhone("keys create NAME")}\` has printed.`,
  // A gateway that does not answer has the failed connection as its cause; its cluster is there.
  NOT_RUNNING: ({ rhone, name, url }, { cause }) => {
    if (name === "leave") return `Join one with: ${rhone("join")}`;
    if (url !== undefined) return "Check --url, and that a cluster is running there.";
    return cause === undefined ? `Start a cluster with: ${rhone("up")}` : `Look at its log: ${rhone("logs gateway")}`;
  },
};

/** An error as a block of lines: code, message, what to do. Anything but a RhoneError is a bug and shows its stack. */
export function formatError(error: unknown, style: Style, failed: FailedCommand): string {
  const { code, message, advice } = describe(error, failed);
  const lines = [style.bold(`✗ ${code}`), ...message.split("\n").map((line) => `  ${line}`)];
  if (advice !== undefined) lines.push(`  ${advice}`);
  return lines.map(style.red).join("\n");
}

interface Description {
  readonly code: string;
  readonly message: string;
  readonly advice: string | undefined;
}

function describe(error: unknown, failed: FailedCommand): Description {
  if (error instanceof RhoneError) {
    return { code: error.code, message: error.message, advice: ADVICE[error.code]?.(failed, error) };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "INTERNAL", message, advice: `This is a bug in Rhone. \`${failed.rhone("logs")}\` may show more.` };
}
