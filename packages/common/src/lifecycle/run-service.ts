import { toRhoneError } from "../errors/rhone-error.js";
import type { Logger } from "../observability/logger.js";
import { announce } from "./announce.js";
import { Shutdown } from "./shutdown.js";

/** Longest a service may take to finish its work after SIGTERM. A second signal ends it at once. */
const SHUTDOWN_DEADLINE_MS = 20_000;

/**
 * Runs a service until a signal, the loss of its launcher (the IPC channel closes), or a fatal error.
 * `start` registers what it opens with `shutdown`; it is closed in reverse order. Exits 0 after an orderly end, 1 otherwise.
 */
export async function runService(logger: Logger, start: (shutdown: Shutdown) => Promise<void>): Promise<void> {
  const shutdown = new Shutdown(logger);
  let ending = false;
  const end = (reason: string, exitCode: number): void => {
    if (ending) process.exit(1);
    ending = true;
    logger.info({ reason }, "shutting down");
    setTimeout(() => process.exit(1), SHUTDOWN_DEADLINE_MS).unref();
    shutdown.run().then(
      () => process.exit(exitCode),
      () => process.exit(1),
    );
  };
  const die = (error: unknown): void => {
    const named = toRhoneError(error);
    logger.fatal({ err: error, code: named.code }, "fatal error");
    announce({ kind: "fatal", code: named.code, message: named.message });
    end("fatal error", 1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end(signal, 0));
  process.once("disconnect", () => end("the launcher is gone", 0));
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  try {
    await start(shutdown);
  } catch (error) {
    die(error);
  }
}
