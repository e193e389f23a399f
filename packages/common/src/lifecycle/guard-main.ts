import { fork } from "node:child_process";
import { constants } from "node:os";
import { loadConfig } from "../config/load-config.js";
import { hungAfterSetting } from "../config/schemas.js";
import { createLogger } from "../observability/logger.js";
import type { Announcement, Release } from "./launcher.js";
import { watchPulse } from "./pulse.js";
import { serviceEnvironment } from "./service-environment.js";

// The entry point of a container: `guard-main.js ENTRY FLAGS…` runs a service as its child, kills it when it hangs, and
// ends as it ends. A container engine restarts a container that ended; one that is unhealthy it only marks.

const { hungAfter } = loadConfig({ hungAfter: hungAfterSetting }, process.env, []);
const [, , entry = "", ...flags] = process.argv;
const logger = createLogger({ service: "guard", level: "info" });
// The child ends with this process, whose channel it loses.
const child = fork(entry, flags, { env: serviceEnvironment(process.env), execArgv: [] });

for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => child.kill(signal));
// Nobody here takes its place.
child.on("message", ({ kind }: Partial<Announcement>) => {
  if (kind === "retiring") child.send({ kind: "release" } satisfies Release);
});
watchPulse(child, {
  hungAfterMs: hungAfter * 1000,
  onHung: (problem) => {
    logger.fatal({ entry, problem, childPid: child.pid }, "the service is killed");
    child.kill("SIGKILL");
  },
});
child.once("exit", (code, signal) => {
  const exitCode = code ?? 128 + constants.signals[signal ?? "SIGKILL"];
  logger.flush(() => process.exit(exitCode));
});
