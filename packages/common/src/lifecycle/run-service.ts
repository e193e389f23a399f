import { toRhoneError } from "../errors/rhone-error.js";
import type { Logger } from "../observability/logger.js";
import { announce } from "./launcher.js";

/** Longest that a service may take to finish its work after SIGTERM. */
const SHUTDOWN_DEADLINE_MS = 20_000;

/**
 * Runs a service until SIGTERM or SIGINT, until its launcher dies (the IPC channel closes), or until a fatal error:
 * one thrown by `start`, or one that nothing caught. `start` registers what it opens with `shutdown`, which is then
 * closed in reverse order. Exits with 0 after an orderly end and with 1 after a fatal error, after 20 s without an end,
 * or at once on a second signal.
 */
export async function runService(logger: Logger, start: (shutdown: Shutdown) => Promise<void>): Promise<void> {
  const shutdown = new Shutdown(logger);
  let isEnding = false;
  const end = (reason: string, exitCode: number): void => {
    if (isEnding) process.exit(1);
    isEnding = true;
    logger.info({ reason }, "shutting down");
    setTimeout(() => process.exit(1), SHUTDOWN_DEADLINE_MS).unref();
    void shutdown.run().then(() => logger.flush(() => process.exit(exitCode)));
  };
  const die = (error: unknown): void => {
    const named = toRhoneError(error);
    logger.fatal({ err: error, code: named.code }, "fatal error");
    shutdown.failed = true;
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

/**
 * Ends the process because an invariant is broken: its state can no longer be trusted. The error is thrown where no
 * caller can catch it, so `runService` logs it, announces it and exits with 1. The caller runs on until its turn ends.
 */
export function crash(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

/** Closes the resources of a service, the last opened first and one at a time. */
export class Shutdown {
  readonly #logger: Logger;
  /** The process ends because of an error: its state can't be trusted, and nothing is waited for. */
  failed = false;
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close });
  }

  /** Runs each closer once. One that fails is logged by its name and the rest still run. Never rejects. */
  async run(): Promise<void> {
    for (const { name, close } of this.#closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#logger.error({ err: error, resource: name }, "close failed");
      }
    }
  }
}
