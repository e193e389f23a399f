import { type Logger, pino } from "pino";

export type { Logger };

export interface LoggerOptions {
  readonly service: string;
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
}

/** JSON lines on standard output. Messages are constant, values are fields; prompts, texts and keys are never logged. */
export function createLogger({ service, level }: LoggerOptions): Logger {
  return pino({
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ["authorization", "*.authorization", '["x-api-key"]', '*["x-api-key"]', "password", "*.password"],
      remove: true,
    },
    serializers: { err: pino.stdSerializers.err },
  });
}
