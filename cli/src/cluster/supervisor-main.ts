import { beginPulse, createLogger, toRhoneError } from "@rhone/common";
import { logLevel, readCliConfig } from "../config.js";
import { clusterOptionsSchema } from "../launch/cluster-options.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { listenForStop } from "../processes/stop-signals.js";
import { logProgress } from "./log-progress.js";
import type { ProgressEvent } from "./progress.js";
import { runCluster } from "./run-cluster.js";

// The process behind `rhone up --detach`. It runs the cluster in the background and reports progress to the command
// line until that closes the channel. Its output goes to supervisor.log.

const logger = createLogger({ service: "supervisor", level: logLevel() });

beginPulse();
let isStarting = true;
const report = (event: ProgressEvent): void => {
  if (event.kind === "ready") isStarting = false;
  logProgress(event, logger);
  if (process.connected) process.send?.(event);
};

const { stop, kill } = listenForStop(() => logger.info("stopping"));
process.once("disconnect", () => {
  // the command line was killed before the cluster was ready
  if (isStarting) process.kill(process.pid, "SIGTERM");
});

try {
  const options = clusterOptionsSchema.parse(JSON.parse(process.argv[2] ?? "{}"));
  await runCluster({ options, config: readCliConfig(), entryPoints: ENTRY_POINTS, report, stop, kill });
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
