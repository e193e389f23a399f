import { type Logger, pino } from "pino";

export type { Logger };

export interface LoggerOptions {
  readonly service: string;
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
}

/** Bytes of lines that wait for room on the disk; further ones are dropped. */
const MOST_UNWRITTEN = 1 << 24;

const SECRETS = ["authorization", "cookie", "password", '["x-api-key"]'];

/**
 * Writes JSON lines to standard output. Messages are constants and values are fields. Prompts and generated text are
 * never logged; fields named like a credential are removed, up to two levels deep. Fractions are rounded to 4 digits.
 */
export function createLogger({ service, level }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: roundedFields },
    redact: { paths: ["", "*", "*.*"].flatMap((parent) => SECRETS.map((name) => within(parent, name))), remove: true },
    serializers: { err: pino.stdSerializers.err },
  };
  // Writes are asynchronous; with a least length of 1 byte `flush` waits for one that is under way.
  const output = pino.destination({ dest: 1, sync: false, minLength: 1, maxLength: MOST_UNWRITTEN });
  outliveFullDisk(output);
  return pino(options, output);
}

/** A full disk ends no process, neither as it logs nor as it exits: lines wait for the next one that can be written. */
function outliveFullDisk(output: ReturnType<typeof pino.destination>): void {
  let isFailing = false;
  output.on("error", () => {
    isFailing = true;
  });
  output.on("write", () => {
    isFailing = false;
  });
  const flushSync = output.flushSync.bind(output);
  output.flushSync = () => {
    if (!isFailing) flushSync(); // it would try for ever
  };
}

const within = (parent: string, name: string): string =>
  parent === "" || name.startsWith("[") ? `${parent}${name}` : `${parent}.${name}`;

const roundedFields = (fields: Record<string, unknown>) => rounded(fields) as Record<string, unknown>;

/** Numbers with a fraction are measurements: 4 digits of them, and none after the point from 1000 on, say it all. */
function rounded(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? value : roundedNumber(value);
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, rounded(field)]));
}

const roundedNumber = (value: number): number =>
  Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
