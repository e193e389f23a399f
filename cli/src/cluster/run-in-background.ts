import { beginPulse, createLogger, toRhoneError } from "@rhone/common";
import { logLevel } from "../config.js";
import { listenForStop, type StopSignals } from "../processes/stop-signals.js";
import { logProgress } from "./log-progress.js";
import type { ProgressEvent, Report } from "./progress.js";

export interface BackgroundRun extends StopSignals {
  /** The process's one argument. */
  readonly options: unknown;
  readonly report: Report;
}

/**
 * The body of a supervisor in the background: reports progress to the command line that forked it, until that closes
 * the channel, and to the log, which is its output.
 */
export async function runInBackground(run: (background: BackgroundRun) => Promise<void>): Promise<void> {
  const logger = createLogger({ service: "supervisor", level: logLevel() });
  beginPulse();
  let isStarting = true;
  const report = (event: ProgressEvent): void => {
    if (event.kind === "ready" || event.kind === "member") isStarting = false;
    logProgress(event, logger);
    if (process.connected) process.send?.(event);
  };
  const signals = listenForStop(() => logger.info("stopping"));
  process.once("disconnect", () => {
    // the command line was killed before it was ready
    if (isStarting) process.kill(process.pid, "SIGTERM");
  });
  try {
    await run({ options: JSON.parse(process.argv[2] ?? "{}"), report, ...signals });
    logger.info("stopped");
    logger.flush(() => process.exit(0));
  } catch (error) {
    isStarting = false;
    const { code, message } = toRhoneError(error);
    if (code === "CANCELLED") logger.info("stopped before it was ready");
    else logger.error({ err: error, code }, "cluster failed");
    if (process.connected) process.send?.({ kind: "failed", code, message } satisfies ProgressEvent);
    if (process.connected) process.disconnect();
    process.exitCode = 1;
  }
}
