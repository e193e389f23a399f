import { beginPulse, toRhoneError } from "@rhone/common";
import { readCliConfig } from "../config.js";
import { clusterOptionsSchema } from "../launch/cluster-options.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { listenForStop } from "../processes/stop-signals.js";
import type { ProgressEvent } from "./progress.js";
import { runCluster } from "./run-cluster.js";

// The process behind `rhone up --detach`. It runs the cluster in the background and reports progress to the command
// line until that closes the channel. Its output goes to supervisor.log.

const log = (event: ProgressEvent | { readonly kind: "stopping" | "stopped" }): void => {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), service: "supervisor", ...event })}\n`);
};

beginPulse();
let isReady = false;
const report = (event: ProgressEvent): void => {
  if (event.kind === "ready") isReady = true;
  if (event.kind !== "phase" || event.done) log(event);
  if (process.connected) process.send?.(event);
};

const { stop, kill } = listenForStop(() => log({ kind: "stopping" }));
process.once("disconnect", () => {
  // the command line was interrupted before the cluster was ready
  if (!isReady) process.kill(process.pid, "SIGTERM");
});

try {
  const options = clusterOptionsSchema.parse(JSON.parse(process.argv[2] ?? "{}"));
  await runCluster({ options, config: readCliConfig(), entryPoints: ENTRY_POINTS, report, stop, kill });
  log({ kind: "stopped" });
  process.exit(0);
} catch (error) {
  const { code, message } = toRhoneError(error);
  if (code === "INTERNAL") process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  report({ kind: "failed", code, message });
  if (process.connected) process.disconnect();
  process.exitCode = 1;
}
