import { toRhoneError } from "../errors/rhone-error.js";
import type { Logger } from "../observability/logger.js";
import { announce } from "./launcher.js";

/** Longest that a service may take to close what it has opened. */
const SHUTDOWN_DEADLINE_MS = 20_000;
/** The same when its launcher died: Redis has gone with it, and the next launcher waits. */
const ORPHAN_DEADLINE_MS = 1000;

/**
 * Runs a service until SIGTERM or SIGINT, until its launcher dies (the IPC channel closes), or until a fatal error:
 * one thrown by `start`, or one that nothing caught. `start` registers what it opens with `shutdown`, which is then
 * closed in reverse order. A service may linger for up to `lingersMs` to finish what others wait for; a second signal,
 * an error or the launcher's death ends that. Exits with 0 after an orderly end and with 1 after a fatal error, 20 s
 * after it should have ended (1 s after its launcher died), or at once on a signal while it does not linger.
 */
export async function runService(
  logger: Logger,
  start: (shutdown: Shutdown) => Promise<void>,
  lingersMs = 0,
): Promise<void> {
  const shutdown = new Shutdown(logger);
  let isEnding = false;
  const endWithin = (ms: number): void => void setTimeout(() => process.exit(1), ms).unref();
  const end = (reason: string, exitCode: number): void => {
    isEnding = true;
    logger.info({ reason }, "shutting down");
    endWithin(lingersMs + SHUTDOWN_DEADLINE_MS);
    void shutdown.run().then(() => logger.flush(() => process.exit(exitCode)));
  };
  /** Nothing is waited for from now on. */
  const endSoon = (reason: string, exitCode: number, deadlineMs = SHUTDOWN_DEADLINE_MS): void => {
    shutdown.hurryUp();
    endWithin(deadlineMs);
    if (!isEnding) end(reason, exitCode);
  };
  const die = (error: unknown): void => {
    const named = toRhoneError(error);
    logger.fatal({ err: error, code: named.code }, "fatal error");
    announce({ kind: "fatal", code: named.code, message: named.message });
    if (isEnding) process.exit(1);
    endSoon("fatal error", 1);
  };
  const signalled = (signal: string): void => {
    if (!isEnding) {
      announce({ kind: "ending" });
      end(signal, 0);
    } else if (lingersMs > 0 && !shutdown.hurry.aborted) endSoon(signal, 0);
    else process.exit(1);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, signalled);
  process.once("disconnect", () => endSoon("the launcher is gone", 0, ORPHAN_DEADLINE_MS));
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
  readonly #hurry = new AbortController();
  readonly #closers: { readonly name: string; readonly close: () => Promise<void> | void }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Aborted when nothing is to be waited for: somebody is impatient, or the process's state can't be trusted. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  hurryUp(): void {
    this.#hurry.abort();
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
