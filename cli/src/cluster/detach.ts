import { fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { type Pulse, RhoneError, watchPulse } from "@rhone/common";
import { childEnvironment, commandWriter, readCliConfig } from "../config.js";
import { createDataDir, type DataDir, dataDirAt } from "../data-dir.js";
import type { ProgressEvent, Report } from "./progress.js";

export interface DetachRequest {
  /** What the supervisor gets on its command line: nothing secret. */
  readonly options: { readonly dataDir: string };
  readonly report: Report;
  /** Gives the start up: stops what has started. */
  readonly stop: AbortSignal;
  /** Kills it. */
  readonly kill: AbortSignal;
  /** The JavaScript file of the supervisor. */
  readonly supervisor: string;
}

/**
 * Starts a cluster, or a member of one, under a supervisor in the background and returns when it is ready. Throws the
 * reason when it fails, or CANCELLED when `stop` is aborted first; none of its processes is left then.
 */
export async function startDetached(request: DetachRequest): Promise<void> {
  const { options, report, stop, kill, supervisor: entry } = request;
  const dataDir = dataDirAt(options.dataDir);
  await createDataDir(dataDir);
  const log = openSync(join(dataDir.logs, "supervisor.log"), "a", 0o600);
  const supervisor = fork(entry, [JSON.stringify(options)], {
    env: childEnvironment(),
    execArgv: [],
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  // The supervisor stops in order at the first signal, and kills at the second.
  const interrupt = (): void => void supervisor.kill("SIGTERM");
  for (const signal of [stop, kill]) signal.addEventListener("abort", interrupt, { once: true });
  let hung: RhoneError | undefined;
  const unwatch = watchPulse(supervisor, {
    hungAfterMs: readCliConfig().hungAfter * 1000,
    onHung: (problem) => {
      hung = new RhoneError("INTERNAL", `The supervisor ${problem}. It was killed.`);
      supervisor.kill("SIGKILL");
    },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      let failure: RhoneError | undefined;
      supervisor.on("message", (event: ProgressEvent | Pulse) => {
        const isReady = event.kind === "ready" || event.kind === "member";
        if (event.kind === "pulse" || (isReady && stop.aborted)) return;
        if (event.kind === "failed") failure = new RhoneError(event.code, event.message);
        else report(event);
        if (isReady) resolve();
      });
      supervisor.once("error", reject);
      supervisor.once("exit", (code, signal) =>
        reject(
          hung ?? failure ?? (stop.aborted ? stop.reason : supervisorGone(dataDir, signal ?? `exit code ${code}`)),
        ),
      );
    });
  } finally {
    unwatch();
    for (const signal of [stop, kill]) signal.removeEventListener("abort", interrupt);
    supervisor.removeAllListeners("exit");
    if (supervisor.connected) supervisor.disconnect();
    supervisor.unref();
  }
}

function supervisorGone({ root }: DataDir, how: string): RhoneError {
  const logs = commandWriter(root)("logs supervisor");
  return new RhoneError("INTERNAL", `The supervisor ended unexpectedly (${how}). \`${logs}\` may show why.`);
}
