import { setFlagsFromString } from "node:v8";
import { type ConfigOf, describeSettings, loadConfig, type Setting, type Settings } from "../config/load-config.js";
import type { hungAfterSetting, logLevelSchema } from "../config/schemas.js";
import { RhoneError } from "../errors/rhone-error.js";
import { createLogger, type Logger } from "../observability/logger.js";
import { collectNodeMetrics } from "../observability/process-metrics.js";
import { watchEventLoop } from "../observability/watch-event-loop.js";
import { announce } from "./launcher.js";
import { beginPulse } from "./pulse.js";
import { releaseMemory } from "./release-memory.js";
import { runService, type Shutdown } from "./run-service.js";

export interface ServiceOptions<T extends Settings> {
  /** The name of the process in `--help`, in its log and in its announcements. */
  readonly service: string;
  readonly settings: T;
  /** Gives freed native memory back to the system, in another thread. */
  readonly trim?: () => unknown;
  /** For how many milliseconds it may finish, after a signal, what others wait for; default: none. */
  readonly lingersMs?: (config: ConfigOf<T>) => number;
}

export interface ServiceRun {
  readonly logger: Logger;
  /** Closes what `start` registers with it, in reverse order. */
  readonly shutdown: Shutdown;
}

/**
 * Reads the settings of this process from its flags and environment. `--help` prints them and exits with 0. Bad
 * settings are announced to the launcher, written to standard error, and end the process with 2.
 */
export function readSettings<T extends Settings>({ service, settings }: ServiceOptions<T>): ConfigOf<T> {
  const argv = process.argv.slice(2);
  if (argv.includes("--help")) {
    process.stdout.write(`Settings of the ${service}. A flag wins over its environment variable.\n
${describeSettings(settings)}\n`);
    process.exit(0);
  }
  try {
    return loadConfig(settings, process.env, argv);
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    announce({ kind: "fatal", code: error.code, message: error.message });
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/**
 * By how many percent the heap of a service may grow before V8 collects what is no longer used. V8 lets a small heap
 * become four times as large, and keeps that where a stream goes on: after three requests for 2,048 answers each, a
 * gateway held 291 MB, and holds 176 MB with 30 %.
 */
const HEAP_GROWTH = 30;

/** Node's warnings become lines of the log, which it would write as text without a time. */
function logWarnings(logger: Logger): void {
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message, stack }) => {
    if (name === "ExperimentalWarning") logger.debug({ name, text: message }, "warning of Node");
    else logger.warn({ name, text: message, stack }, "warning of Node");
  });
}

/** Settings that every service has. */
type ServiceSettings = Settings & {
  readonly logLevel: Setting<typeof logLevelSchema>;
  readonly hungAfter: typeof hungAfterSetting;
};

/** The body of a service's main file: reads the settings, creates the logger, and runs `start` under `runService`. */
export async function serviceMain<T extends ServiceSettings>(
  options: ServiceOptions<T>,
  start: (config: ConfigOf<T>, run: ServiceRun) => Promise<void>,
): Promise<void> {
  const config = readSettings(options);
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`);
  const logger = createLogger({ service: options.service, level: config.logLevel });
  logWarnings(logger);
  const run = async (shutdown: Shutdown): Promise<void> => {
    await start(config, { logger, shutdown }); // which may block for as long as it needs
    watchEventLoop({ service: options.service, logger, hungAfterMs: config.hungAfter * 1000 });
    collectNodeMetrics();
    beginPulse();
    shutdown.add("memory", releaseMemory({ trim: options.trim }));
  };
  await runService(logger, run, options.lingersMs?.(config));
}
